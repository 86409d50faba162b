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

/** Topics that take no payload. */
const refuse =
  (isRefused: (topic: string) => boolean, code: BrokerErrorCode = 'record_too_large') =>
  async (records: readonly RecordToProduce[]) => {
    if (records.some(({ topic, value }) => isRefused(topic) && value !== null))
      throw new BrokerError(code, 'as told')
  }
const retriesRefuse = refuse((topic) => topic !== topics.deadLetters)
const allRefuse = refuse(() => true)
const deadLettered = { status: 'dead_lettered', reason: 'too_large' }

describe('G4: a record that is too large', () => {
  it('for its retry topic is a dead letter, told as one, and done', async () => {
    const { run, produced, givenUp, told } = scriptedDelivery({
      outcomes: [failed('not_sent')],
      produce: retriesRefuse,
    })
    expect(await run()).toMatchObject({ kind: 'done' })
    expect(givenUp).toEqual([{ id: envelope.id, reason: 'too_large' }])
    expect(told).toMatchObject([{ status: 'retrying' }, deadLettered])
    expect(produced).toMatchObject([
      { topic: topics.deadLetters, value: recordOf().value, headers: { [header.reason]: 'too_large' } },
    ])
  })

  it('or that its retry topic takes for invalid, is a dead letter for that reason', async () => {
    const { run, produced, givenUp, told } = scriptedDelivery({
      outcomes: [failed('not_sent')],
      produce: refuse((topic) => topic !== topics.deadLetters, 'invalid_record'),
    })
    expect(await run()).toMatchObject({ kind: 'done' })
    expect(givenUp).toEqual([{ id: envelope.id, reason: 'invalid_record' }])
    expect(told.at(-1)).toMatchObject({ status: 'dead_lettered', reason: 'invalid_record' })
    expect(produced).toMatchObject([
      { topic: topics.deadLetters, headers: { [header.reason]: 'invalid_record' } },
    ])
  })

  it('or invalid for the dead letters too keeps nothing else: its delivery has ended, and it is done', async () => {
    const { run, produced, held, told } = scriptedDelivery({
      outcomes: [failed('poison')],
      produce: refuse(() => true, 'invalid_record'),
    })
    expect(await run()).toMatchObject({ kind: 'done' })
    expect(told.at(-1)).toMatchObject({ status: 'dead_lettered', reason: 'poison' })
    expect([...produced, ...held]).toEqual([])
  })

  it('ends so too when it comes again after a crash, before or after it was given up', async () => {
    const dueAt = new Date(now + 1_000)
    const before = scriptedDelivery({
      claim: { kind: 'settled', status: 'retrying', reason: null, dueAt },
      produce: retriesRefuse,
    })
    expect(await before.run()).toEqual({ kind: 'done' })
    const after = scriptedDelivery({
      claim: { kind: 'settled', ...deadLettered, dueAt: null } as never,
      produce: retriesRefuse,
    })
    expect(await after.run()).toEqual({ kind: 'done' })
    for (const { produced, told } of [before, after]) {
      expect(produced).toMatchObject([
        { topic: topics.deadLetters, headers: { [header.reason]: 'too_large' } },
      ])
      expect(told.at(-1)).toMatchObject(deadLettered)
    }
  })

  it('is left to whoever has ended it meanwhile', async () => {
    const { run, produced, told } = scriptedDelivery({
      outcomes: [failed('not_sent')],
      produce: retriesRefuse,
      givenUp: false,
    })
    expect(await run()).toMatchObject({ kind: 'done' })
    expect(produced).toEqual([])
    expect(told).toMatchObject([{ status: 'retrying' }])
  })

  it('for the dead letters too is one without its payload, which says what it was and where it came from', async () => {
    const { run, produced } = scriptedDelivery({ outcomes: [failed('poison')], produce: allRefuse })
    expect(await run()).toMatchObject({ kind: 'done' })
    expect(produced).toMatchObject([
      {
        topic: topics.deadLetters,
        key: 'k',
        value: null,
        headers: {
          ce_id: envelope.id,
          [header.reason]: 'poison',
          [header.origin]: `${topics.main}/0/7`,
          [header.payload]: 'dropped',
        },
      },
    ])
  })

  it('of headers and a key alone pins nothing either', async () => {
    const { run, produced } = scriptedDelivery({
      produce: async ([record]) => {
        const size = JSON.stringify([record!.key, record!.headers]).length
        if (size > 10_000) throw new BrokerError('record_too_large', 'too large')
      },
    })
    const forged = { ...recordOf({}, { [header.attempt]: 'x'.repeat(20_000), other: 'y'.repeat(20_000) }) }
    expect(await run({ ...forged, key: 'z'.repeat(20_000) })).toMatchObject({ kind: 'done' })
    expect(produced).toMatchObject([{ key: null, value: null, headers: { [header.reason]: 'poison' } }])
  })
})
