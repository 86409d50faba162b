import { expect, it } from 'vitest'
import { BrokerError, type ConsumedRecord, type PartitionLag } from '../../core/broker/broker.ts'
import {
  advance,
  isNext,
  isRead,
  ofTopics,
  readPositions,
  unreadTopics,
  withoutDropped,
} from './positions.ts'

const record = (offset: number, partition = 0): ConsumedRecord => ({
  topic: 'p.shop.sms.dlq',
  partition,
  offset,
  key: null,
  value: null,
  headers: {},
  timestamp: 0,
})
const positions = { 'p.shop.sms.dlq/0': { next: 5, end: 10 } }

it('knows what is next: neither what was read before, nor what came after the start, nor another partition', () => {
  const offsets = [4, 5, 9, 10].filter((offset) => isNext(positions, record(offset)))
  expect(offsets).toEqual([5, 9])
  expect(isNext(positions, record(5, 1))).toBe(false)
})

it('moves forward only, and is read at the end, also when the last offsets are missing', () => {
  expect(advance(positions, [record(7), record(3)])).toEqual({ 'p.shop.sms.dlq/0': { next: 8, end: 10 } })
  expect(isRead(advance(positions, [record(8)]))).toBe(false)
  expect(isRead(advance(positions, [record(9)]))).toBe(true)
  expect(isRead(advance(positions, [record(12)]))).toBe(true)
  expect(isRead({})).toBe(true)
})

it('goes over what the retention took, and over a topic that is gone', () => {
  const present = (next: number) => ({ 'p.shop.sms.dlq/0': { next, end: 12 } })
  expect(withoutDropped(positions, present(0))).toEqual(positions)
  expect(withoutDropped(positions, present(7))).toEqual({ 'p.shop.sms.dlq/0': { next: 7, end: 10 } })
  expect(isRead(withoutDropped(positions, present(11)))).toBe(true)
  expect(isRead(withoutDropped(positions, {}))).toBe(true)
})

it('tells topics apart', () => {
  const two = { ...positions, 'other.dlq/3': { next: 1, end: 1 } }
  expect(unreadTopics(two)).toEqual(['p.shop.sms.dlq'])
  expect(ofTopics(two, (topic) => topic === 'other.dlq')).toEqual({ 'other.dlq/3': { next: 1, end: 1 } })
})

it('are read from the broker; a topic that is not there has none, and one that cannot be read is no empty one', async () => {
  const lag = (topic: string): PartitionLag => ({
    group: 'g',
    topic,
    partition: 0,
    beginning: 2,
    end: 4,
    committed: 3,
    lag: 1,
  })
  const admin = (code: 'unknown_topic' | 'unavailable') => ({
    async lag([subscription]: readonly { topics: readonly string[] }[]) {
      const [topic] = subscription!.topics as [string]
      if (topic === 'missing') throw new BrokerError(code, 'no')
      return [lag(topic)]
    },
  })
  expect(await readPositions(admin('unknown_topic'), 'g', ['a', 'missing'])).toEqual({
    'a/0': { next: 2, end: 4 },
  })
  await expect(readPositions(admin('unavailable'), 'g', ['a', 'missing'])).rejects.toThrow('no')
})
