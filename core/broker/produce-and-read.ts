import type { Producer, RecordToProduce } from './broker.ts'

export interface ReadBack {
  producer: Producer
  records: readonly RecordToProduce[]
  /** Calls back after each change of what is read. Answers a function that stops it. */
  onChange: (listener: () => void) => () => void
  /** Whether what was written is what is read. */
  isRead: () => boolean
}

/**
 * Writes to a compacted topic that somebody here follows, and resolves once it is read back. Rejects with a BrokerError, or with the signal's
 * reason.
 */
export async function produceAndRead(
  { producer, records, onChange, isRead }: ReadBack,
  signal: AbortSignal,
): Promise<void> {
  signal.throwIfAborted()
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const check = () => {
    if (isRead()) resolve()
  }
  const abort = () => reject(signal.reason as Error)
  const unsubscribe = onChange(check)
  signal.addEventListener('abort', abort)
  try {
    // Both at once: a produce that hangs, because Kafka is away, ends with the signal too.
    await Promise.all([producer.produce(records).then(check), promise])
  } finally {
    unsubscribe()
    signal.removeEventListener('abort', abort)
  }
}
