import { setImmediate as turn } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { BrokerError } from '../../../core/broker/broker.ts'
import { createLogger } from '../../../core/observability/logger.ts'
import { manualClock } from '../../../test/harness/fakes/manual-clock.ts'
import type { RetrySource } from './retry-source.ts'
import { RetryTiers } from './retry-tiers.ts'

/** The retry topics `a` and `b` of a channel, in a cluster that refuses some of them, and lets nobody into the group of others. */
function world() {
  const clock = manualClock()
  const log: string[] = []
  const refusals = new Map<string, BrokerError>()
  const silent = new Set<string>()
  const failed = new Map<string, (error: Error) => void>()
  const open = (topics: readonly string[]) => {
    const name = topics.join('+')
    const failure = Promise.withResolvers<Error>()
    failed.set(name, failure.resolve)
    return {
      healthy: true,
      failed: failure.promise,
      forget: () => log.push(`forget ${name}`),
      async start(signal: AbortSignal) {
        const refusal = topics.map((topic) => refusals.get(topic)).find((error) => error !== undefined)
        if (refusal !== undefined) throw refusal
        if (topics.some((topic) => silent.has(topic)))
          await new Promise((_, reject) =>
            signal.addEventListener('abort', () => reject(new BrokerError('closed', 'stopped'))),
          )
        log.push(`start ${name}`)
      },
      stop: async () => log.push(`stop ${name}`),
    } as unknown as RetrySource
  }
  const logger = createLogger({ level: 'ERROR', destination: { write: () => {} } })
  const tiers = new RetryTiers({ topics: ['a', 'b'], open, clock, logger })
  const pass = async (milliseconds: number) => {
    await turn()
    clock.advance(milliseconds)
    await turn()
  }
  return { tiers, log, refusals, silent, failed, pass }
}
const missing = new BrokerError('unknown_topic', 'no such topic')

describe('retry tiers', () => {
  it('have one consumer, which is stopped with them', async () => {
    const { tiers, log } = world()
    await tiers.start()
    tiers.forget()
    await tiers.stop()
    expect(log).toEqual(['start a+b', 'forget a+b', 'stop a+b'])
  })

  it('do not wait for one whose topic is missing, which is consumed once it is there', async () => {
    const { tiers, log, refusals, failed, pass } = world()
    refusals.set('b', missing)
    await tiers.start()
    await pass(10_000)
    expect(log).toEqual(['start a'])
    expect(tiers.healthy).toBe(true)
    refusals.clear()
    await pass(10_000)
    expect(log).toEqual(['start a', 'start b'])
    failed.get('b')!(new Error('for good'))
    await expect(tiers.failed).resolves.toMatchObject({ message: 'for good' })
    await tiers.stop()
    expect(log.slice(2)).toEqual(['stop a', 'stop b'])
  })

  it('do not start while the brokers are away', async () => {
    const { tiers, refusals } = world()
    refusals.set('b', new BrokerError('unavailable', 'away'))
    await expect(tiers.start()).rejects.toMatchObject({ code: 'unavailable' })
    await tiers.stop()
  })

  it('are stopped while one of them looks for its topic, or waits for its group', async () => {
    const { tiers, log, refusals, silent, pass } = world()
    refusals.set('a', missing)
    silent.add('b')
    await tiers.start()
    await pass(10_000)
    await tiers.stop()
    await pass(10_000)
    expect(log).toEqual([])
  })
})
