import { openKafkaBroker } from '../../core/broker/kafka.ts'
import { createLogger } from '../../core/observability/logger.ts'
import { type KafkaCluster, startKafka } from '../harness/kafka/kafka.ts'
import { describePart } from '../harness/parts/describe-part.ts'
import { describeBroker } from './broker.ts'
import type { BrokerCluster } from './broker/harness.ts'

const logger = createLogger({ level: 'ERROR', destination: { write: () => {} } })

describePart('kafka', (path) => {
  // A cluster that runs elsewhere is not ours to kill.
  const elsewhere = path.includes(':')
  describeBroker('Kafka', { start: () => start(path, elsewhere), restarts: !elsewhere, timeout: 180_000 })
})

async function start(path: string, elsewhere: boolean): Promise<BrokerCluster> {
  const own: KafkaCluster | undefined = elsewhere ? undefined : await startKafka({ jars: path })
  const bootstrapServers = own?.bootstrapServers ?? path.split(',')
  const run = Date.now().toString(36)
  let topics = 0
  return {
    open: () => Promise.resolve(openKafkaBroker({ bootstrapServers, clientId: 'conformance', logger })),
    topicName: () => `topic-${run}-${++topics}`,
    async restart(whileDown) {
      const [node] = own!.nodes
      await node!.kill()
      await whileDown()
      await node!.start()
    },
    close: async () => await own?.stop(),
    capabilities: { deadlineMs: 60_000, cleaningMs: 120_000, recoveryMs: 120_000 },
  }
}
