import type { Producer } from '../../core/broker/broker.ts'
import type { Timers } from '../../core/clock.ts'
import { startHeartbeats } from '../../core/heartbeat/writer.ts'
import { workersTopic } from '../../core/notification/topics.ts'
import type { Logger } from '../../core/observability/logger.ts'
import type { NotificationChannel } from '../../core/resources/channel.ts'
import type { Running } from '../running.ts'
import type { DeliveryWorker } from './worker.ts'

export interface WithHeartbeatsOptions {
  channel: NotificationChannel
  /** Names this worker: unique among all that ever ran. */
  workerId: string
  broker: { producer: Producer }
  /** Prefix of the install's topics. */
  prefix: string
  clock: Timers
  logger: Logger
}

/** The worker, saying until it has stopped that it is alive and how it does. */
export function withHeartbeats(worker: DeliveryWorker, options: WithHeartbeatsOptions): Running {
  const { workerId, broker, prefix, clock, logger } = options
  const { namespace, name } = options.channel.metadata
  const heartbeats = startHeartbeats({
    producer: broker.producer,
    topic: workersTopic(prefix),
    worker: workerId,
    describe: () => ({
      namespace,
      channel: name,
      ...worker.throughput(),
      providers: worker.providerHealth().map(({ provider, ...health }) => ({ name: provider, ...health })),
    }),
    clock,
    random: Math.random,
    logger,
  })
  return {
    ...worker,
    async stop() {
      await worker.stop()
      await heartbeats.stop()
    },
  }
}
