import { onTestFinished } from 'vitest'
import type {
  Assignment,
  Broker,
  BrokerError,
  ConsumedRecord,
  Consumer,
  FetchedRecords,
  TopicPartition,
  TopicPartitionOffset,
} from '../../../core/broker/broker.ts'

export type ConsumerEvent =
  | ({ type: 'assigned' } & Assignment)
  | { type: 'revoked'; epoch: number }
  | ({ type: 'records' } & FetchedRecords)
  | { type: 'error'; error: BrokerError; fatal: boolean }

export interface ObserveOptions {
  group: string
  topics: readonly string[]
  /** Called with every hand-over, inside the handler. */
  onRecords?: (fetched: FetchedRecords, consumer: ObservedConsumer) => void
}

/** A consumer that writes down everything that it is told, in order. */
export class ObservedConsumer {
  readonly events: ConsumerEvent[] = []
  readonly consumer: Consumer

  constructor(broker: Broker, { group, topics, onRecords }: ObserveOptions) {
    this.consumer = broker.consumer({
      group,
      topics,
      handlers: {
        onAssigned: (assignment) => this.events.push({ type: 'assigned', ...assignment }),
        onRevoked: (epoch) => this.events.push({ type: 'revoked', epoch }),
        onRecords: (fetched) => {
          this.events.push({ type: 'records', ...fetched })
          onRecords?.(fetched, this)
        },
        onError: (error, fatal) => this.events.push({ type: 'error', error, fatal }),
      },
    })
  }

  /** Starts a consumer that stops at the end of the test. */
  static async start(broker: Broker, options: ObserveOptions): Promise<ObservedConsumer> {
    const observed = new ObservedConsumer(broker, options)
    onTestFinished(() => observed.consumer.stop())
    await observed.consumer.start()
    return observed
  }

  /** All that was handed over, in the order of the hand-overs; of one epoch, when given. */
  records(epoch?: number): ConsumedRecord[] {
    return this.events.flatMap((event) =>
      event.type === 'records' && (epoch === undefined || event.epoch === epoch) ? event.records : [],
    )
  }

  /** Text values of what was handed over, of one partition when given. */
  values(partition?: number): string[] {
    return this.records()
      .filter((record) => partition === undefined || record.partition === partition)
      .map(({ value }) => String(value))
  }

  assignments(): Assignment[] {
    return this.events.filter((event) => event.type === 'assigned')
  }

  /** The assignment that holds; throws between two. */
  get assignment(): Assignment {
    const last = this.events.findLast(({ type }) => type === 'assigned' || type === 'revoked')
    if (last?.type !== 'assigned') throw new Error('nothing is assigned')
    return last
  }

  owns({ topic, partition }: TopicPartition): boolean {
    return this.assignment.partitions.some((owned) => owned.topic === topic && owned.partition === partition)
  }

  /** The position behind the last record of each partition that was handed over in the present epoch. */
  positions(): TopicPartitionOffset[] {
    const last = new Map(
      this.records(this.assignment.epoch).map((record) => [`${record.topic}/${record.partition}`, record]),
    )
    return [...last.values()].map(({ topic, partition, offset }) => ({
      topic,
      partition,
      offset: offset + 1,
    }))
  }

  /** Commits all that was handed over in the present epoch. */
  async commit(): Promise<void> {
    await this.consumer.commit(this.assignment.epoch, this.positions())
  }
}
