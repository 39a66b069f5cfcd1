"""Scripts: the same replies, values and errors as a real server's, in RESP2 and RESP3."""

from __future__ import annotations

from tests.differential.both import Both
from tests.differential.wire import Parsed

# Each is a script of its own; ``\\n`` in it is the end of a line.
SCRIPTS = r"""
return 1
return 1.9
return -1.9
return true
return false
return nil
return {1,2,nil,3}
return {1,{2,'x'},false,true}
return 'x'
return {ok='fine'}
return {err='bad'}
return {err='-bad thing'}
return redis.error_reply('my err')
return redis.error_reply('-MY err')
return redis.error_reply('MYERR')
return redis.error_reply('')
return redis.status_reply('st')
return redis.error_reply()
return redis.error_reply(1,2)
return redis.error_reply({})
return redis.status_reply(1)
return {double=3.5}
return {map={a=1}}
return {set={a=true}}
return {big_number='123'}
return {verbatim_string={string='x',format='txt'}}
foo=1
return foo
local x = {} x.y.z=1
error('boom')
error({err='boom2'})
error({err='boom2', x=1})
error('boom',0)
error('boom',2)
return redis.call('nosuch')
return redis.call('get')
return redis.call('get','a','b')
return redis.call()
return redis.call({})
return redis.call('set','k',1.5)
return redis.call('set','k',true)
return redis.call('set','k',10)
return redis.call('get','k')
return redis.call('set','k',1e20)
return redis.call('get','k')
return redis.call('set','k',0.1)
return redis.call('get','k')
return redis.call('lpush','k','x')
return redis.pcall('lpush','k','x')
return redis.pcall('lpush','k','x').err
return redis.pcall('nosuch')
return redis.pcall()
local e=redis.pcall('lpush','k','x') local s='' for k,v in pairs(e) do s=s..k..'='..tostring(v)..';' end return s
local e=redis.pcall('nosuch') local s='' for k,v in pairs(e) do s=s..k..'='..tostring(v)..';' end return s
local ok,e=pcall(redis.call,'nosuch') return {tostring(ok),type(e),e.err}
local ok,e=pcall(error,'x') return {tostring(ok),type(e),e}
local ok,e=pcall(function() error('x') end) return e
local ok,e=pcall(function() local a=nil; return a.b end) return e
return pcall(function() return redis.call('nosuch') end)
return redis.call('subscribe','x')
return redis.call('blpop','k2',0)
return redis.call('multi')
return redis.call('eval','return 1',0)
return redis.call('ping')
return redis.call('ping').ok
return tostring(redis.call('get','nokey'))
return type(redis.call('get','nokey'))
redis.setresp(3) return type(redis.call('get','nokey'))
redis.setresp(3) return tostring(redis.call('get','nokey'))
redis.setresp(4)
redis.setresp()
redis.setresp('a')
redis.setresp(3) return true
redis.setresp(3) return false
redis.setresp(3) return {true,false,1.5}
redis.setresp(3) redis.call('hset','h','a','1') return redis.call('hgetall','h')
redis.call('hset','h','a','1') return redis.call('hgetall','h')
redis.setresp(3) redis.call('hset','h','a','1') return redis.call('hgetall','h').map.a
redis.setresp(3) redis.call('sadd','s','a','1') return redis.call('smembers','s').set['a']
redis.setresp(3) redis.call('zadd','z',1.5,'a') return redis.call('zscore','z','a').double
redis.setresp(3) redis.call('zadd','z',1.5,'a') return redis.call('zscore','z','a')
redis.setresp(3) redis.call('zadd','z',1.5,'a') return redis.call('zrange','z',0,-1,'withscores')
redis.call('zadd','z',1.5,'a') return redis.call('zrange','z',0,-1,'withscores')
redis.call('zadd','z',1.5,'a') return redis.call('zscore','z','a')
redis.setresp(3) return redis.call('lolwut')
redis.setresp(3) return redis.call('client','info').verbatim_string.format
return redis.sha1hex('a')
return redis.sha1hex()
return redis.sha1hex(1)
return redis.log(redis.LOG_NOTICE,'x')
return redis.log(1)
return redis.log('x','y')
return redis.log(10,'y')
return redis.REDIS_VERSION
return redis.REDIS_VERSION_NUM
return redis.replicate_commands()
return redis.set_repl(redis.REPL_ALL)
return redis.set_repl(99)
return redis.set_repl()
return redis.breakpoint()
return redis.debug('x')
return redis.acl_check_cmd('get','k')
return redis.acl_check_cmd('nosuch')
return redis.acl_check_cmd()
redis.call=1
string.x=1
_G.x=1
rawset(_G,'x',1)
setmetatable(_G,{})
setmetatable(redis,{})
rawset(redis,'x',1)
getmetatable('').__index.x=1
return getmetatable('').__index == string
return type(print)
return print('x')
return loadstring('return 1')()
return load(function() return nil end)
return loadstring('\27Lua')
return loadstring('x=')
return dofile
return loadfile
return require
return module
return debug
return io
return os.time
return {KEYS[1],ARGV[1],#KEYS,#ARGV}
return KEYS
return syntax error here
return (
#!lua
#!lua name=x
return newproxy
return gcinfo()>0
return collectgarbage('count')>0
return xpcall(function() error('q') end, function(e) return 'h:'..e end)
return {select('#',1,2,3)}
return string.rep('x',10)
return ('x'):rep(3)
return tostring(nil)..tostring(1.5)
return 1e15
return 1/0
return 0/0
return 9007199254740993
return {1,2,3,x=5}
return setmetatable({},{__index=function(t,k) if k=='ok' then return 'meta' end end})
return {{err='x'},{ok='y'}}
return redis.call('debug','sleep',0)
return redis.call('config','get','port')
return redis.call('select',5)
return redis.call('set','k','v','xx','nx')
return function() end
return coroutine.create(function() end)
return redis
return string.format('%q','a\nb')
return tonumber('0x10')
return unpack({1,2,3})
return #'a\0b'
return redis.call('echo','a\0b')
return redis.call('set','k','')..''
local a='x' local b=a+1
return nil+1
return ('x')()
return table.concat({1,{},3})
for i=1,2 do local x=i end return i
return redis.call('incr','k') .. 'x'
return {redis.call('incrbyfloat','kf','0.1')}
return redis.call('exec')
return redis.call('type','k')
return redis.call('type','k').ok
return redis.call('xrange','st','-','+')
return redis.call('randomkey')~=nil
return redis.call('nosuch','x')
return redis.call('client','nosuch')
return redis.call('object','encoding')
return redis.call('object')

return redis.call('script','flush')
return cjson.encode({1,2,3})
return cjson.encode({})
return cjson.encode({a=1})
return cjson.encode({[1]=1,[3]=3})
return cjson.encode({[1]=1,[100]=3})
return cjson.encode({[1.5]=1})
return cjson.encode({[true]=1})
return cjson.encode('a"b\\c/d\n\1\127é')
return cjson.encode(1/0)
return cjson.encode(0.1)
return cjson.encode(1e20)
return cjson.encode(123456789012345678)
return cjson.encode(cjson.null)
return cjson.encode(nil)
return cjson.encode(function() end)
return cjson.encode()
return cjson.encode(1,2)
local t={} for i=1,1001 do t={t} end return cjson.encode(t)
local t={} t[1]=t return cjson.encode(t)
return cjson.decode('[1,2,3]')
return cjson.decode('{"a":[1,{"b":null}],"c":true}').a[1]
return cjson.decode('{"a":null}').a == cjson.null
return type(cjson.null)
return tostring(cjson.decode('null'))==tostring(cjson.null)
return cjson.decode('"a\\u00e9\\ud83d\\ude00\\n"')
return cjson.decode('')
return cjson.decode('[1,')
return cjson.decode('[1 2]')
return cjson.decode('{"a" 1}')
return cjson.decode('{"a":1')
return cjson.decode('{a:1}')
return cjson.decode('tru')
return cjson.decode('[1]x')
return cjson.decode('"abc')
return cjson.decode('"\\x"')
return cjson.decode('"\\ud800"')
return cjson.decode('"\\u12"')
return tostring(cjson.decode('[NaN]')[1])
return tostring(cjson.decode('-Infinity'))
return cjson.decode('0x10')
return cjson.decode('1e3')
return cjson.decode('1.5e-3')*1000000
return cjson.decode('  [ 1 , "x" ]  ')
return cjson.decode(string.rep('[',1001)..string.rep(']',1001))
return cjson.decode('-')
return cjson.decode('@')
return cjson.decode(1)
return cjson.decode()
return cjson.decode({})
return cjson.encode(cjson.decode('{"x":{"y":[1,2,{"z":"w"}]}}'))
return cmsgpack.pack(1)
return cmsgpack.pack(-1,-33,127,128,255,256,65535,65536,4294967295,4294967296,-128,-129,-32768,-32769,-2147483649)
return cmsgpack.pack(1.5,0.1,1e300,true,false,nil)
return cmsgpack.pack('a',string.rep('b',32),string.rep('c',256))
return cmsgpack.pack({1,2,3},{},{a=1},{[1]=1,[3]=3})
return cmsgpack.pack({{{{{{{{{{{{{{{{{{1}}}}}}}}}}}}}}}}}})
return cmsgpack.pack()
return cmsgpack.unpack(cmsgpack.pack({1,'a',{b=2.5}}))[2]
return {cmsgpack.unpack(cmsgpack.pack(1,2,'x',true))}
return {cmsgpack.unpack_one(cmsgpack.pack(1,2,3))}
return {cmsgpack.unpack_one(cmsgpack.pack(1,2,3),1)}
return {cmsgpack.unpack_limit(cmsgpack.pack(1,2,3),2)}
return {cmsgpack.unpack_limit(cmsgpack.pack(1,2,3),2,1)}
return cmsgpack.unpack('')
return cmsgpack.unpack('\205')
return cmsgpack.unpack('\193')
return cmsgpack.unpack_one('\1',5)
return cmsgpack.unpack_one('\1',-1)
return cmsgpack.unpack({})
return tostring(cmsgpack.unpack('\211\255\255\255\255\255\255\255\255'))
return tostring(cmsgpack.unpack('\207\255\255\255\255\255\255\255\255'))
return bit.band(5,3)
return bit.bor(1,2,4)
return bit.bxor(5,1)
return bit.bnot(0)
return bit.lshift(1,31)
return bit.rshift(-1,28)
return bit.arshift(-16,2)
return bit.rol(0x12345678,8)
return bit.ror(0x12345678,8)
return bit.bswap(0x12345678)
return bit.tobit(4294967295)
return bit.tohex(255)
return bit.tohex(255,-4)
return bit.tohex(-1,2)
return bit.band()
return bit.band('x')
return bit.band('5',7)
return struct.pack('>I2',258)
return struct.pack('<i4',-2)
return struct.pack('BBhHlL',1,255,-1,65535,-1,1)
return struct.pack('>fd',1.5,2.5)
return struct.pack('sc3','abc','defg')
return struct.pack('c5','abc')
return struct.pack('x!4Bi',1,2)
return {struct.unpack('>I2I2','\1\2\3\4')}
return {struct.unpack('<hs','\1\0abc\0')}
return {struct.unpack('Bc0','\3abcd')}
return {struct.unpack('>d',struct.pack('>d',2.5))}
return struct.unpack('I4','ab')
return struct.unpack('q','ab')
return struct.size('>I2!8d')
return struct.size('s')
return {struct.unpack('b','\255')}
return struct.unpack('b','a',0)
local function f() error('inner') end f()
local function f() return redis.call('nosuch') end\nlocal x = 1\nreturn f()
local co=coroutine.wrap(function() coroutine.yield(1) error('in co') end) co() return co()
local co=coroutine.create(function() error({err='x'}) end) local ok,e=coroutine.resume(co) return {tostring(ok),type(e)}
return redis.call('hmset','hh','a',1,'b',2.5)
return tostring(1e100)
return 3.99999
return {1.5,'2.5',true}
return redis.call('zadd','zz',1,'a',2.5,'b')
return redis.call('zrange','zz',0,-1,'withscores')
return redis.call('set','a\\0b','x')
return redis.call('exists','k1','k2')
return redis.call('mget','nokey','k')
return redis.pcall('incr','hh')
local r=redis.pcall('incr','hh') return r['err']
return {ok='a\\nb'}
return {err='a\\nb'}
return redis.error_reply('a b\\nc')
return string.format('%d %s %5.2f',3,'x',1.005)
return ('%s'):format(nil)
return table.getn({1,2,3})
return table.maxn({1,2,[5]=3})
local s='' for w in string.gmatch('a b c','%a') do s=s..w end return s
return tostring(-0.0)
return math.floor(-1.5)
return math.huge
return math.pi*1000
return math.mod(7,3)
return next({})
return type(next)
return rawget({a=1},'a')
return rawequal('a','a')
return tostring(rawget(_G,'nothing'))
return type(rawget(_G,'redis'))
local n=0 for k,v in pairs(redis) do n=n+1 end return n
local t=setmetatable({},{__index=function(t,k) return k..'!' end}) return t.x
return #ARGV
KEYS[1]='changed' return KEYS[1]
return ARGV[2]
return ipairs
return assert(false)
return assert(nil,'msg')
return assert(1==1)
return tonumber('abc')
return tonumber('12',8)
return select(2,'a','b')
return unpack({1,2},2)
return string.dump(function() end)~=nil
return loadstring(string.dump(function() return 1 end))
return tostring(pcall)~=nil
return string.len('é')
return string.reverse('abc')
return table.concat({1,2,3},',')
local t={3,1,2} table.sort(t) return t
local t={1,2} table.insert(t,3) table.remove(t,1) return t
#!lua flags=no-writes\nreturn redis.call('set','x','1')
#!lua flags=no-writes\nreturn redis.call('get','x')
#!lua flags=bad\nreturn 1
#!lua flags=no-writes,allow-oom\nreturn 1
#!lua flags=\nreturn 1
#!lua foo=bar\nreturn 1
#!js\nreturn 1
#!lua\nreturn {KEYS[1],nosuchglobal}
#!lua flags=no-writes flags=allow-oom\nreturn redis.call('set','x','1')
""".strip().splitlines()


def _ask(both: Both, args: list[bytes]) -> tuple[Parsed, Parsed]:
    return both.real.execute(args), both.ask_engine(args)


def test_scripts(both: Both) -> None:
    differences: list[str] = []
    for line in SCRIPTS:
        source = line.replace("\\n", "\n").encode()
        real, ours = _ask(both, [b"EVAL", source, b"1", b"k1", b"a1"])
        if real != ours:
            differences.append(f"{line}\n  redis  {real}\n  engine {ours}")
    assert not differences, "\n" + "\n".join(differences)


def test_random_numbers(both: Both) -> None:
    script = b"math.randomseed(ARGV[1]) local t={} for i=1,20 do t[i]=math.random(1000000) end return t"
    for seed in (b"0", b"1", b"42", b"-5", b"123456789"):
        real, ours = _ask(both, [b"EVAL", script, b"0", seed])
        assert real == ours
    real, ours = _ask(both, [b"EVAL", b"return {math.random(5,10), tostring(math.random())}", b"0"])
    assert real == ours


COMMANDS = """
EVAL
EVAL 'return 1'
EVAL 'return 1' x
EVAL 'return 1' -1
EVAL 'return 1' 1
EVAL 'return 1' 0
EVALSHA e0e1f9fabfc9d4800c877a703b823ac0578ff8db 0
EVALSHA E0E1F9FABFC9D4800C877A703B823AC0578FF8DB 0
EVALSHA e0e1f9fabfc9d4800c877a703b823ac0578ff8dc 0
EVALSHA x 0
EVALSHA_RO e0e1f9fabfc9d4800c877a703b823ac0578ff8db 0
EVAL_RO 'return redis.call("get","k")' 0
EVAL_RO 'return redis.call("set","k","v")' 0
EVAL_RO 'return redis.pcall("set","k","v")' 0
EVAL_RO 'return redis.call("publish","k","v")' 0
SCRIPT EXISTS e0e1f9fabfc9d4800c877a703b823ac0578ff8db x
SCRIPT LOAD 'return 2'
SCRIPT LOAD 'return ('
SCRIPT EXISTS 7f923f79fe76194c868d7e1d0820de36700eb649
EVALSHA 7f923f79fe76194c868d7e1d0820de36700eb649 0
SCRIPT FLUSH x
SCRIPT FLUSH SYNC
SCRIPT FLUSH ASYNC
SCRIPT FLUSH
SCRIPT EXISTS 7f923f79fe76194c868d7e1d0820de36700eb649
SCRIPT KILL
SCRIPT KILL x
SCRIPT DEBUG x
SCRIPT DEBUG NO
SCRIPT HELP
SCRIPT NOSUCH
SCRIPT
MULTI
EVAL 'return redis.call("set","k","v")' 0
EVAL 'return redis.call("nosuch")' 0
SCRIPT LOAD 'return 3'
EXEC
EVAL 'redis.call("select",3) return redis.call("set","in3","x")' 0
GET in3
EVAL 'redis.call("multi")' 0
"""


def test_commands(both: Both) -> None:
    both.check_all(COMMANDS)


def test_read_only_and_flags(both: Both) -> None:
    for source in (b"#!lua flags=no-writes\nreturn redis.call('get','x')", b"#!lua\nreturn redis.call('get','x')"):
        real, ours = _ask(both, [b"EVAL_RO", source, b"0"])
        assert real == ours


def test_a_script_may_keep_a_cursor_as_a_number(both: Both) -> None:
    source = b"""
    local cursor, seen = 0, 0
    repeat
        local found = redis.call('SCAN', cursor)
        cursor = tonumber(found[1])
        for _, key in ipairs(found[2]) do seen = seen + redis.call('DEL', key) end
    until cursor == 0
    return seen
    """
    both.check([b"MSET", *(part for number in range(300) for part in (b"k%d" % number, b"v"))])
    both.check([b"EVAL", source, b"0"])
    both.check("DBSIZE")


def test_a_script_gets_an_unsorted_set_in_an_order(both: Both) -> None:
    both.check_all(r"""
        SADD s 10 9 1 -2 x
        EVAL "return redis.call('SORT', 's', 'BY', 'nosort')" 0
        EVAL "return redis.call('SORT_RO', 's', 'BY', 'nosort', 'LIMIT', 1, 2)" 0
    """)


def test_the_flags_of_functions_are_listed_in_an_order(both: Both) -> None:
    source = (
        b"#!lua name=flagged\nredis.register_function{function_name='f', callback=function() end, "
        b"flags={'no-cluster', 'allow-cross-slot-keys', 'allow-stale', 'no-writes', 'allow-oom'}}"
    )
    both.check([b"FUNCTION", b"LOAD", b"REPLACE", source])
    both.check("FUNCTION LIST LIBRARYNAME flagged")
    both.check("FUNCTION DELETE flagged")
