import { describe, expect, it } from 'vitest'
import { BrokerError, type BrokerErrorCode, type RecordToProduce } from '../../../core/broker/broker.ts'
import { header } from '../../../core/notification/envelope.ts'
import {
  envelope,
  failed,
  now,
  recordOf,
  scriptedDelivery,
  topics,
} from '../../../test/harness/fakes/scripted-delivery.ts'

const refuse =
  (code: BrokerErrorCode, asked: string[] = []) =>
  async (records: readonly RecordToProduce[]) => {
    asked.push(...records.map(({ topic }) => topic))
    throw new BrokerError(code, 'as told')
  }
const retry = topics.retries[0]!.topic
const ref = { replayEpoch: 0, attempt: 1 }

describe('G5: a topic of a channel that takes nothing', () => {
  it.each(['unknown_topic', 'unauthorized', 'invalid'] as const)(
    'for retries (%s) has them kept as they would have been written, and the record is done',
    async (code) => {
      const { run, held, produced } = scriptedDelivery({
        outcomes: [failed('not_sent')],
        produce: refuse(code),
      })
      expect(await run()).toMatchObject({ kind: 'done' })
      expect(produced).toEqual([])
      expect(held).toMatchObject([
        {
          topic: retry,
          key: 'k',
          value: recordOf().value,
          headers: { [header.attempt]: '2', [header.due]: String(now + 30_000) },
          delivery: envelope.id,
          state: { status: 'retrying', ...ref },
        },
      ])
    },
  )

  it('for dead letters has them kept too, and one that nobody can read under an id of its own', async () => {
    const { run, held } = scriptedDelivery({
      outcomes: [failed('poison')],
      produce: refuse('unknown_topic'),
    })
    const garbage = { ...recordOf(), value: Buffer.from([0xff]) }
    for (const record of [recordOf(), garbage, garbage])
      expect(await run(record)).toMatchObject({ kind: 'done' })
    const [letter, unreadable, again] = held
    expect(letter).toMatchObject({ topic: topics.deadLetters, state: { status: 'dead_lettered', ...ref } })
    expect(unreadable).toMatchObject({ value: garbage.value, headers: { [header.reason]: 'poison' } })
    expect(unreadable!.state).toBe(null)
    expect(unreadable!.delivery).toMatch(/^[0-9a-f-]{36}$/)
    expect(unreadable!.delivery).not.toBe(letter!.delivery)
    expect(again!.delivery).toBe(unreadable!.delivery)
  })

  it('is kept for after a crash between the outcome and its retry as well', async () => {
    const dueAt = new Date(now + 1_000)
    const { run, held } = scriptedDelivery({
      claim: { kind: 'settled', status: 'retrying', reason: 'topic_unavailable', dueAt },
      produce: refuse('unknown_topic'),
    })
    expect(await run()).toEqual({ kind: 'done' })
    expect(held).toMatchObject([{ topic: retry, state: { status: 'retrying', ...ref } }])
  })

  it('is not asked again for each record, as the answer takes its time', async () => {
    const asked: string[] = []
    const { run, held } = scriptedDelivery({
      outcomes: [failed('not_sent')],
      produce: refuse('unknown_topic', asked),
    })
    for (let count = 0; count < 3; count++) await run()
    expect(held).toHaveLength(3)
    expect(asked).toEqual([retry])
  })

  it('without a leader is held up alone when others are written, and is waited for when nothing is', async () => {
    let acknowledged = 0
    const busy = scriptedDelivery({
      outcomes: [failed('not_sent')],
      acknowledged: () => acknowledged++,
      produce: refuse('unavailable'),
    })
    expect(await busy.run()).toMatchObject({ kind: 'done' })
    expect(busy.held).toMatchObject([{ topic: retry }])
    const away = scriptedDelivery({ outcomes: [failed('not_sent')], produce: refuse('unavailable') })
    expect(await away.run()).toMatchObject({ kind: 'park' })
    expect(away.held).toEqual([])
  })

  it('holds the record while the store is away', async () => {
    const { run } = scriptedDelivery({
      outcomes: [failed('not_sent')],
      produce: refuse('unknown_topic'),
      hold: () => Promise.reject(new Error('connection refused')),
    })
    expect(await run()).toMatchObject({ kind: 'park' })
  })
})
