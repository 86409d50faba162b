import { BrokerError, type TopicPartitionOffset } from '../../broker.ts'
import { PATIENCE_MS } from '../patience.ts'

/** What may wait to be acknowledged before `queue_full`. A call is always taken when nothing waits, however large. */
const MAX_WAITING_RECORDS = 20_000
const MAX_WAITING_BYTES = 64 * 1024 * 1024

/** One call of `produce`: settled once, when all its records are appended or one of them cannot be. */
export interface Call {
  /** On the monotonic clock. */
  readonly begun: number
  readonly deadline: number
  readonly answer: Promise<TopicPartitionOffset[]>
  settled: boolean
  resolve(positions: TopicPartitionOffset[]): void
  reject(error: BrokerError): void
}

/** The calls that wait for an answer: bounded in number of records, in bytes and in time. */
export class Calls {
  readonly #open = new Set<Call>()
  readonly #drained: (() => void)[] = []
  #records = 0
  #bytes = 0

  get size(): number {
    return this.#open.size
  }

  /** Throws `queue_full`. */
  open(records: number, bytes: number): Call {
    const full = this.#records + records > MAX_WAITING_RECORDS || this.#bytes + bytes > MAX_WAITING_BYTES
    if (this.#records > 0 && full) throw new BrokerError('queue_full', 'too many records wait for Kafka')
    const { promise, resolve, reject } = Promise.withResolvers<TopicPartitionOffset[]>()
    const settle = (): boolean => {
      if (call.settled) return false
      call.settled = true
      this.#open.delete(call)
      this.#records -= records
      this.#bytes -= bytes
      if (this.#open.size === 0) for (const done of this.#drained.splice(0)) done()
      return true
    }
    const begun = performance.now()
    const call: Call = {
      begun,
      deadline: begun + PATIENCE_MS,
      answer: promise,
      settled: false,
      resolve: (positions) => void (settle() && resolve(positions)),
      reject: (error) => void (settle() && reject(error)),
    }
    this.#open.add(call)
    this.#records += records
    this.#bytes += bytes
    return call
  }

  /** Rejects the calls whose time is up, for this reason when there is one; says whether there were any. */
  expire(now: number, reason: BrokerError | undefined): boolean {
    let expired = false
    // In the order of their deadlines.
    for (const call of this.#open) {
      if (call.deadline > now) break
      const message = reason?.message ?? 'Kafka did not acknowledge in time'
      call.reject(new BrokerError('unavailable', message, { cause: reason }))
      expired = true
    }
    return expired
  }

  rejectAll(error: BrokerError): void {
    for (const call of this.#open) call.reject(error)
  }

  /** Resolves when no call waits any more. */
  async drained(): Promise<void> {
    if (this.#open.size > 0) await new Promise<void>((resolve) => this.#drained.push(resolve))
  }
}
