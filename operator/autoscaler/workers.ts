import type { Heartbeat } from '../../core/heartbeat/heartbeat.ts'
import type { NotificationChannel } from '../../core/resources/channel.ts'
import type { ConditionText } from '../runtime/conditions.ts'

/** What the live workers of a channel say, put together. */
export interface WorkersReading {
  /** Deliveries per second of one worker at its busiest, on average; undefined while none was busy enough to know. */
  capacity: number | undefined
  /** Whether no provider takes messages from any worker. */
  paused: boolean
  /** The first provider, in failover order, that takes messages. */
  activeProvider: string | undefined
  condition: ConditionText
}

/** @param beats heartbeats of the channel's live workers; undefined while they cannot be read */
export function readWorkers(
  { spec }: NotificationChannel,
  beats: readonly Heartbeat[] | undefined,
): WorkersReading {
  const capacities = (beats ?? []).flatMap(({ capacity }) => (capacity === null ? [] : [capacity]))
  const capacity =
    capacities.length === 0 ? undefined : capacities.reduce((sum, each) => sum + each, 0) / capacities.length
  if (beats === undefined || beats.length === 0) {
    const message = beats === undefined ? 'heartbeats cannot be read' : 'no worker runs at present'
    return {
      capacity,
      paused: false,
      activeProvider: undefined,
      condition: { status: 'Unknown', reason: 'NoWorker', message },
    }
  }
  const takes = (name: string) =>
    beats.some(({ providers }) => providers.some((each) => each.name === name && each.circuit === 'closed'))
  const names = spec.providers.map(({ name }) => name)
  const activeProvider = names.find(takes)
  const failure = beats
    .flatMap(({ providers }) => providers)
    .find(({ name }) => name === names[0])?.lastFailure
  const cause = failure ? `, last failure ${failure}` : ''
  return {
    capacity,
    paused: activeProvider === undefined,
    activeProvider,
    condition:
      activeProvider === names[0]
        ? { status: 'True', reason: 'ProviderHealthy', message: `${activeProvider} takes messages` }
        : activeProvider === undefined
          ? {
              status: 'False',
              reason: 'NoProviderAvailable',
              message: `no provider takes messages${cause}; messages are kept`,
            }
          : {
              status: 'False',
              reason: 'FailedOver',
              message: `${names[0]} takes no messages${cause}; ${activeProvider} does`,
            },
  }
}
