import { EventEmitter } from 'node:events'
import { setImmediate as turn } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { ConsumedRecord } from '../broker.ts'
import { type Cursor, Reader } from './reader.ts'
import type { TopicEvents } from './topics.ts'

/** Records that one fetch brings. */
const batch = 2

let topics: EventEmitter<TopicEvents>
let fetched: string[]
let failure: Error | undefined
/** What a fetch waits for before it answers. */
let gate: Promise<void>
let read: string[]
let failures: unknown[]
let reader: Reader

beforeEach(() => {
  topics = new EventEmitter()
  fetched = []
  failure = undefined
  gate = Promise.resolve()
  read = []
  failures = []
  reader = new Reader({
    topics,
    fetcher: {
      async fetch({ topic, partition, end }, position) {
        fetched.push(`${topic}@${position}`)
        await turn()
        await gate
        if (failure) throw failure
        const count = Math.min(batch, end - position)
        return Array.from({ length: count }, (_, index): ConsumedRecord => {
          const offset = position + index
          return { topic, partition, offset, key: null, value: null, headers: {}, timestamp: 0 }
        })
      },
    },
    onRead: (_, records) => read.push(...records.map(({ topic, offset }) => `${topic}@${offset}`)),
    onFailure: (error) => failures.push(error),
  })
})
afterEach(() => reader.stop())

function cursor(topic: string, end: number): Cursor {
  return { partition: { id: 1, topic, partition: 0, begin: 0, end }, position: 0, paused: false }
}

/** Holds answers back until the function that it returns is called. */
function hold(): () => void {
  const { promise, resolve } = Promise.withResolvers<void>()
  gate = promise
  return resolve
}

/** Long enough for any read that could be under way. */
async function turns(): Promise<void> {
  for (let count = 0; count < 20; count++) await turn()
}

describe('reader', () => {
  it('takes partitions in turn, however much is in one', async () => {
    reader.read([cursor('long', 6), cursor('short', 1)])
    await expect.poll(() => read).toHaveLength(7)
    expect(read.indexOf('short@0')).toBeLessThan(read.indexOf('long@2'))
  })

  it('asks nothing when everything is read, and goes on when something is appended', async () => {
    const one = cursor('one', 2)
    reader.read([one])
    await expect.poll(() => read).toHaveLength(2)
    await turns()
    topics.emit('appended')
    await turns()
    expect(fetched).toEqual(['one@0'])

    one.partition.end = 3
    topics.emit('appended')
    await expect.poll(() => read).toEqual(['one@0', 'one@1', 'one@2'])
  })

  it('asks nothing of a paused partition, and drops what was on its way', async () => {
    const one = cursor('one', 4)
    const release = hold()
    reader.read([one])
    await expect.poll(() => fetched).toHaveLength(1)
    one.paused = true
    release()
    await turns()
    expect([fetched, read]).toEqual([['one@0'], []])

    one.paused = false
    reader.wake()
    await expect.poll(() => read).toEqual(['one@0', 'one@1', 'one@2', 'one@3'])
  })

  it('drops what was on its way for a cursor that it no longer reads', async () => {
    const release = hold()
    reader.read([cursor('before', 2)])
    await expect.poll(() => fetched).toHaveLength(1)
    reader.read([cursor('after', 1)])
    release()
    await expect.poll(() => read).toEqual(['after@0'])
  })

  it('goes past an end whose records were deleted', async () => {
    const gone = cursor('gone', 4)
    gone.position = 4
    Object.assign(gone.partition, { end: 9 })
    const { partition } = gone
    reader.stop()
    const positions: number[] = []
    reader = new Reader({
      topics,
      fetcher: { fetch: async () => [] },
      onRead: ({ position }) => positions.push(position),
      onFailure: (error) => failures.push(error),
    })
    reader.read([gone])
    await expect.poll(() => positions).toEqual([partition.end])
  })

  it('reports an outage once, and loses nothing over it', async () => {
    failure = new Error('gone')
    reader.read([cursor('one', 2)])
    await expect.poll(() => fetched.length).toBeGreaterThan(2)
    expect(failures).toEqual([failure])
    failure = undefined
    await expect.poll(() => read).toEqual(['one@0', 'one@1'])
  })
})
