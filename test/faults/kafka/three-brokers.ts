import { afterAll, beforeAll } from 'vitest'
import type { Broker } from '../../../core/broker/broker.ts'
import { openKafkaBroker } from '../../../core/broker/kafka.ts'
import { Wire } from '../../../core/broker/kafka/wire/wire.ts'
import { createLogger } from '../../../core/observability/logger.ts'
import { type KafkaCluster, startKafka } from '../../harness/kafka/kafka.ts'

export interface ThreeBrokers {
  cluster: KafkaCluster
  broker: Broker
  /** Says where partitions are. */
  wire: Wire
}

/** A Kafka of three brokers and clients of it, from before the first test of the suite to after its last. For use inside hooks and tests. */
export function useThreeBrokers(options: Omit<Parameters<typeof startKafka>[0], 'nodes'>): ThreeBrokers {
  const kafka = {} as ThreeBrokers
  beforeAll(async () => {
    kafka.cluster = await startKafka({ ...options, nodes: 3 })
    const client = { bootstrapServers: kafka.cluster.bootstrapServers, clientId: 'test' }
    const logger = createLogger({ level: 'ERROR', destination: { write: () => {} } })
    kafka.broker = openKafkaBroker({ ...client, logger })
    kafka.wire = new Wire(client)
  }, 180_000)
  afterAll(async () => {
    await kafka.broker?.close()
    await kafka.wire?.close()
    await kafka.cluster?.stop()
  }, 120_000)
  return kafka
}
