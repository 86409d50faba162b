import { describe, expect, it } from 'vitest'
import { manualClock } from '../../test/harness/fakes/manual-clock.ts'
import { BrokerError, type ConsumedRecord, type RecordToProduce } from '../broker/broker.ts'
import { createLogger } from '../observability/logger.ts'
import { type Heartbeat, heartbeatRecord, readHeartbeat } from './heartbeat.ts'
import { startHeartbeats } from './writer.ts'

const beat: Heartbeat = {
  worker: 'w1',
  namespace: 'shop',
  channel: 'email',
  interval: 5_000,
  rate: 1.5,
  slots: 50,
  busy: 2,
  capacity: null,
  providers: [{ name: 'primary', circuit: 'closed', since: 0, lastFailure: null }],
}

function consumed(record: RecordToProduce, change: Partial<ConsumedRecord> = {}): ConsumedRecord {
  return { ...record, headers: record.headers ?? {}, partition: 0, offset: 0, timestamp: 0, ...change }
}

describe('a heartbeat', () => {
  it('is read as it was written, also with what a newer worker adds', () => {
    const record = heartbeatRecord('t', beat)
    expect(readHeartbeat(consumed(record))).toEqual({ kind: 'alive', heartbeat: beat })
    const value = Buffer.from(JSON.stringify({ ...beat, mood: 'good' }))
    expect(readHeartbeat(consumed(record, { value }))).toEqual({ kind: 'alive', heartbeat: beat })
    expect(readHeartbeat(consumed(record, { value: null }))).toEqual({ kind: 'stopped', worker: 'w1' })
  })

  it('of version 1 keeps its bytes', () => {
    const record = heartbeatRecord('t', beat)
    expect(record.headers).toEqual({ 'carillon-envelope': '1', 'content-type': 'application/json' })
    expect(String(record.value)).toBe(
      '{"worker":"w1","namespace":"shop","channel":"email","interval":5000,"rate":1.5,"slots":50,"busy":2,' +
        '"capacity":null,"providers":[{"name":"primary","circuit":"closed","since":0,"lastFailure":null}]}',
    )
  })

  it.each<[string, Partial<ConsumedRecord>]>([
    ['another major version', { headers: { 'carillon-envelope': '2' } }],
    ['no JSON', { value: Buffer.from('{') }],
    ['missing fields', { value: Buffer.from('{}') }],
    ['no key', { key: null }],
  ])('with %s is passed over', (_, change) => {
    expect(readHeartbeat(consumed(heartbeatRecord('t', beat), change)).kind).toBe('unreadable')
  })
})

describe('the writer', () => {
  function world(produce: () => Promise<void> = async () => {}) {
    const clock = manualClock()
    const written: RecordToProduce[] = []
    const log: string[] = []
    const heartbeats = startHeartbeats({
      producer: {
        async produce(records) {
          await produce()
          written.push(...records)
          return []
        },
      },
      topic: 't',
      worker: 'w1',
      describe: () => beat,
      clock,
      random: () => 0.5,
      logger: createLogger({ level: 'DEBUG', destination: { write: (line) => void log.push(line) } }),
    })
    return { clock, written, log, heartbeats }
  }
  const settled = () => new Promise((resolve) => setImmediate(resolve))

  it('writes at once, then in every interval, and a tombstone at the end', async () => {
    const { clock, written, heartbeats } = world()
    await settled()
    expect(written).toHaveLength(1)
    for (let turn = 2; turn <= 5; turn++) {
      clock.advance(5_000)
      await settled()
      expect(written).toHaveLength(turn)
    }
    expect(written.at(-1)).toEqual(heartbeatRecord('t', beat))
    await heartbeats.stop()
    clock.advance(60_000)
    await settled()
    expect(written.slice(5)).toMatchObject([{ topic: 't', key: 'w1', value: null }])
  })

  it('says once that it cannot write, and goes on', async () => {
    let fails = true
    const { clock, written, log, heartbeats } = world(async () => {
      if (fails) throw new BrokerError('unavailable', 'no broker')
    })
    for (let turn = 0; turn < 10; turn++) {
      clock.advance(5_000)
      await settled()
    }
    expect(log).toHaveLength(1)
    fails = false
    clock.advance(5_000)
    await settled()
    expect(written).toHaveLength(1)
    fails = true
    await heartbeats.stop()
    expect(log).toHaveLength(2)
  })

  it('writes one at a time, however slow the broker is', async () => {
    const slow = Promise.withResolvers<void>()
    let calls = 0
    const { clock, heartbeats } = world(() => {
      calls++
      return slow.promise
    })
    clock.advance(60_000)
    await settled()
    expect(calls).toBe(1)
    slow.resolve()
    await heartbeats.stop()
    expect(calls).toBe(2)
  })
})
