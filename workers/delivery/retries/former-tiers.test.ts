import { setImmediate as turn } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { BrokerError } from '../../../core/broker/broker.ts'
import { channelTopics } from '../../../core/notification/topics.ts'
import { createLogger } from '../../../core/observability/logger.ts'
import { manualClock } from '../../../test/harness/fakes/manual-clock.ts'
import { FormerTiers } from './former-tiers.ts'
import type { RetrySource } from './retry-source.ts'

const minutes = 60_000
const topics = channelTopics('p', { namespace: 'shop', name: 'sms' }, '', ['30s'])
const former = `${topics.main}.retry.5m`

/** A channel with these retry topics in the cluster, and so many records left on the former ones. */
function world(names: string[], failures = 0) {
  const clock = manualClock()
  const log: string[] = []
  const cluster = { left: 1, listings: 0, failures }
  const failed = Promise.withResolvers<Error>()
  const tiers = new FormerTiers({
    admin: {
      async listTopics(prefix) {
        cluster.listings++
        if (cluster.failures-- > 0) throw new BrokerError('unavailable', 'away')
        return names.filter((name) => name.startsWith(prefix))
      },
      lag: async ([subscription]) =>
        subscription!.topics.map((topic) => ({
          group: subscription!.group,
          topic,
          partition: 0,
          beginning: 0,
          end: cluster.left,
          committed: 0,
          lag: cluster.left,
        })),
    },
    topics,
    open: (opened) =>
      ({
        start: async () => void log.push(`+${opened.join()}`),
        stop: async () => void log.push('-'),
        forget: () => {},
        failed: failed.promise,
      }) as unknown as RetrySource,
    clock,
    logger: createLogger({ level: 'ERROR', destination: { write: () => {} } }),
  })
  const pass = async (milliseconds: number) => {
    await turn()
    clock.advance(milliseconds)
    await turn()
  }
  tiers.start()
  return { tiers, cluster, log, pass, fail: failed.resolve }
}

describe('former tiers', () => {
  it('are consumed until they are empty, without asking for the list again', async () => {
    const { cluster, log, pass, tiers } = world([
      former,
      `${topics.main}.retry.30s`,
      `${topics.main}.retry.notes`,
    ])
    await pass(10 * minutes)
    expect(log).toEqual([`+${former}`])
    cluster.left = 0
    await pass(10 * minutes)
    expect(log).toEqual([`+${former}`, '-'])
    await pass(60 * minutes)
    expect(log).toHaveLength(2)
    expect(cluster.listings).toBe(1)
    await tiers.stop()
  })

  it('are no matter to a channel that never had others', async () => {
    const { log, pass, cluster, tiers } = world([`${topics.main}.retry.30s`])
    await pass(60 * minutes)
    expect([log, cluster.listings]).toEqual([[], 1])
    await tiers.stop()
  })

  it('are looked for again when the cluster could not say, and consumed again after a failure', async () => {
    const { log, pass, fail, tiers } = world([former], 1)
    await pass(0)
    expect(log).toEqual([])
    await pass(10 * minutes)
    expect(log).toEqual([`+${former}`])
    fail(new BrokerError('unauthorized', 'no'))
    await pass(10 * minutes)
    expect(log.slice(0, 3)).toEqual([`+${former}`, '-', `+${former}`])
    await tiers.stop()
  })

  it('are left at the stop of the worker', async () => {
    const { log, pass, tiers } = world([former])
    await pass(0)
    await tiers.stop()
    expect(log).toEqual([`+${former}`, '-'])
  })
})
