import { Redis } from 'ioredis'
import type { Clock } from '../../../core/clock.ts'
import type { Logger } from '../../../core/observability/logger.ts'
import type { Lease, SharedLimits } from './shared-limits.ts'
import { parts } from './sliding-window.ts'

export interface RedisLimitsOptions {
  url: string
  /** First part of every key. */
  prefix: string
  clock: Clock
  logger: Logger
  /** Is told 1 when limits become shared, and 0 when they no longer are. */
  shared: { set(value: number): void }
}

/** Milliseconds that a question may take. A worker goes on with its own share rather than wait for long. */
const commandTimeout = 500
/** Milliseconds for which a Redis that did not answer is not asked again. */
const pause = 1_000

/**
 * Counts in the parts of {@link SlidingWindow}, on the clock of Redis, for all workers at once. A lease may be used for a part after it was
 * taken, so one part more is looked back on. The window has an id: who knows another one saw a window that is lost, and says
 * all that it used, not only what it used without asking.
 */
const leaseScript = `
local limit, width, wanted = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local current = math.floor(now / width)
local id = redis.call('HGET', KEYS[1], 'id')
if not id then
  id = time[1] .. '.' .. time[2]
  redis.call('HSET', KEYS[1], 'id', id)
end
local told = tonumber(id == ARGV[6] and ARGV[4] or ARGV[5])
if told > 0 then redis.call('HINCRBY', KEYS[1], current, told) end
local used, oldest = 0, current
local all = redis.call('HGETALL', KEYS[1])
for index = 1, #all, 2 do
  local part = tonumber(all[index])
  if part and part < current - ${parts} - 1 then
    redis.call('HDEL', KEYS[1], all[index])
  elseif part then
    used = used + tonumber(all[index + 1])
    oldest = math.min(oldest, part)
  end
end
local granted = math.max(0, math.min(wanted, limit - used))
if granted > 0 then redis.call('HINCRBY', KEYS[1], current, granted) end
redis.call('PEXPIRE', KEYS[1], math.ceil(width * (${parts} + 2)))
return { granted, math.ceil((oldest + ${parts} + 2) * width - now), id }`

/** A log of what was admitted, by id, as long as the interval. */
const admitScript = `
local limit, interval = tonumber(ARGV[1]), tonumber(ARGV[2])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - interval)
if redis.call('ZSCORE', KEYS[1], ARGV[3]) then return 1 end
if redis.call('ZCARD', KEYS[1]) >= limit then return 0 end
redis.call('ZADD', KEYS[1], now, ARGV[3])
redis.call('PEXPIRE', KEYS[1], interval)
return 1`

/** Limits kept in Redis. It need not be there, now or later: while it is not, nothing waits for it. */
export function openRedisLimits(options: RedisLimitsOptions): SharedLimits {
  const { clock, logger } = options
  const redis = new Redis(options.url, {
    keyPrefix: `${options.prefix}:limits:`,
    commandTimeout,
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    // Its INFO is more than a user of limits needs to be allowed; a server that still loads refuses what it is asked.
    enableReadyCheck: false,
    retryStrategy: (tries) => Math.min(100 * 2 ** Math.min(tries, 6), 5_000),
  })
  let isShared: boolean | undefined
  let awayUntil = 0

  function note(shared: boolean, reason?: string): void {
    if (shared === isShared) return
    isShared = shared
    options.shared.set(shared ? 1 : 0)
    if (shared) logger.info('Rate limits are shared through Redis')
    else
      logger.warn({ reason }, 'Redis is out of reach: each worker keeps to its own share of the rate limits')
  }
  // Whoever may connect need not be allowed in.
  redis.on('ready', () => void redis.ping().then(() => note(true), fail))
  // The error itself is not logged: it holds the command that failed, and that may be the password.
  redis.on('error', (error: Error) => note(false, error.message))
  redis.on('close', () => note(false, 'the connection ended'))

  function fail(error: Error): void {
    awayUntil = clock.monotonic() + pause
    note(false, error.message)
  }

  const reachable = () => redis.status === 'ready' && clock.monotonic() >= awayUntil

  async function ask(script: string, key: string, ...args: (string | number)[]): Promise<unknown> {
    try {
      const answer = await redis.eval(script, 1, key, ...args)
      note(true)
      return answer
    } catch (error) {
      fail(error as Error)
      throw error
    }
  }

  return {
    reachable,
    tokens(name, { limit, interval }) {
      let known = ''
      // Parts of another length would not be told from ours.
      const key = `${name}/${interval}`
      return {
        reachable,
        async lease({ tokens, unshared, used }): Promise<Lease> {
          const width = interval / parts
          const answer = await ask(leaseScript, key, limit, width, tokens, unshared, used, known)
          const [granted, wait, id] = answer as [number, number, string]
          known = id
          return { tokens: granted, wait }
        },
      }
    },
    admit: async (name, id, { limit, interval }) => (await ask(admitScript, name, limit, interval, id)) === 1,
    close: () => redis.disconnect(),
  }
}
