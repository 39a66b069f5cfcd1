-- Adds to a number in one field of a living record, and moves the record in that field's range index.
-- KEYS: record, T@ids, T@log, T@expires, then the sorted set of the index if there is one.
-- ARGV: nonce, field, amount, 'i' for whole numbers or 'f', least and most that the result may be ('' for no bound),
-- the new version, or ''.
-- Replies {'done', new value, version before}, or {why, ...} with nothing written.
return count(0, #KEYS, 0)
