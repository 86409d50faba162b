import type { Producer, RecordToProduce } from '../broker/broker.ts'
import type { Timers } from '../clock.ts'
import type { Logger } from '../observability/logger.ts'
import { type Heartbeat, heartbeatInterval, heartbeatRecord, stoppedRecord } from './heartbeat.ts'

export interface HeartbeatWriterOptions {
  producer: Producer
  topic: string
  /** Its id. */
  worker: string
  /** What the next heartbeat says. */
  describe: () => Omit<Heartbeat, 'worker' | 'interval'>
  clock: Timers
  /** From 0 to 1. */
  random: () => number
  logger: Logger
}

/** Of the interval: many workers that were started together do not write together for ever. */
const jitter = 0.2

/**
 * Writes a worker's heartbeats from now on. One that cannot be written is left out, and the first of a series is logged; nothing ever
 * waits for them.
 */
export function startHeartbeats(options: HeartbeatWriterOptions): { stop(): Promise<void> } {
  const { producer, topic, worker, describe, clock, random, logger } = options
  let writing: Promise<void> | undefined
  let failing = false
  let callOff = () => {}

  function beat(): void {
    callOff = clock.after(heartbeatInterval * (1 - jitter * random()), beat)
    const said = { worker, ...describe(), interval: heartbeatInterval }
    writing ??= write(heartbeatRecord(topic, said)).finally(() => (writing = undefined))
  }

  async function write(record: RecordToProduce): Promise<void> {
    try {
      await producer.produce([record])
      failing = false
    } catch (error) {
      if (!failing) logger.warn({ err: error, topic }, 'Heartbeats cannot be written')
      failing = true
    }
  }

  beat()
  return {
    /** Says that the worker is gone, as far as that can be said. Never rejects. */
    async stop() {
      callOff()
      await writing
      await write(stoppedRecord(topic, worker))
    },
  }
}
