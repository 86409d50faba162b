import { describe, expect, it } from 'vitest'
import type { Heartbeat } from '../../core/heartbeat/heartbeat.ts'
import { channelResource } from '../../test/harness/fakes/resources.ts'
import { readWorkers } from './workers.ts'

const channel = channelResource(
  { name: 'sms', namespace: 'shop' },
  {
    type: 'sms',
    providers: [
      { name: 'first', type: 'sandbox' },
      { name: 'second', type: 'sandbox' },
    ],
  },
)

type Circuits = [Heartbeat['providers'][number]['circuit'], Heartbeat['providers'][number]['circuit']]

const worker = ([first, second]: Circuits, capacity: number | null = null): Heartbeat => ({
  worker: 'w',
  namespace: 'shop',
  channel: 'sms',
  interval: 5_000,
  rate: 0,
  slots: 50,
  busy: 0,
  capacity,
  providers: [
    { name: 'first', circuit: first, since: 0, lastFailure: first === 'closed' ? null : 'auth' },
    { name: 'second', circuit: second, since: 0, lastFailure: null },
  ],
})

describe('what the workers say of their providers', () => {
  it.each<[string, Circuits[], string | undefined, boolean, string, string]>([
    ['all is well', [['closed', 'closed']], 'first', false, 'True', 'ProviderHealthy'],
    ['the second has taken over', [['open', 'closed']], 'second', false, 'False', 'FailedOver'],
    ['the first is probed', [['half_open', 'closed']], 'second', false, 'False', 'FailedOver'],
    ['none takes messages', [['open', 'half_open']], undefined, true, 'False', 'NoProviderAvailable'],
    [
      'one worker alone cannot reach the first',
      [
        ['open', 'closed'],
        ['closed', 'closed'],
      ],
      'first',
      false,
      'True',
      'ProviderHealthy',
    ],
  ])('%s', (_, beats, activeProvider, paused, status, reason) => {
    const read = readWorkers(
      channel,
      beats.map((circuits) => worker(circuits)),
    )
    expect(read).toMatchObject({ activeProvider, paused, condition: { status, reason } })
  })

  it('names the failure for which another one took over', () => {
    expect(readWorkers(channel, [worker(['open', 'closed'])]).condition.message).toBe(
      'first takes no messages, last failure auth; second does',
    )
  })

  it('is not known where nobody says anything, and that is no outage', () => {
    for (const beats of [undefined, []]) {
      expect(readWorkers(channel, beats)).toMatchObject({
        activeProvider: undefined,
        paused: false,
        condition: { status: 'Unknown', reason: 'NoWorker' },
      })
    }
  })
})

it('what a worker can do is the mean of those that were busy enough to know', () => {
  const closed: Circuits = ['closed', 'closed']
  const capacities = [20, null, 40]
  const beats = capacities.map((capacity) => worker(closed, capacity))
  expect(readWorkers(channel, beats).capacity).toBe(30)
  expect(readWorkers(channel, [worker(closed)]).capacity).toBeUndefined()
})
