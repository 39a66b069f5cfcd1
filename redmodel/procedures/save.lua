-- Saves one record with its index entries: everything is checked first, then everything is written.
-- KEYS: record, T@ids, T@log, T@expires, then the key of each entry to join.
-- ARGV: nonce and mode; 'ttl sets clears expiries paths', the last four counting what follows: fields and values to set,
-- fields to clear, columns and milliseconds of fields that expire, paths whose old entries go; then the entries to join,
-- each as it stands in the log, followed by its score if it is of a sorted set.
-- mode: 'w' whole, 'p' partial (of a record that was loaded); then 'n' only if new, 'x' only if it exists, '-' either.
-- ttl: 'k' keeps what is there, '-' none, else milliseconds.
-- Replies 1 (created), 0 (updated), or {why, ...} with nothing written.
return save(0, #KEYS, 0)
