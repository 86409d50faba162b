import type { Producer } from '../core/broker/broker.ts'

export interface CountingProducer extends Producer {
  /** How many writes the brokers have acknowledged. When it grows while a topic does not answer, the cluster itself is there. */
  acknowledged(): number
}

/** The same producer, with a count. */
export function countAcknowledged(producer: Producer): CountingProducer {
  let acknowledged = 0
  return {
    async produce(records) {
      const positions = await producer.produce(records)
      acknowledged += 1
      return positions
    },
    acknowledged: () => acknowledged,
  }
}
