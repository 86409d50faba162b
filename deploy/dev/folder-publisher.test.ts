import { pino } from 'pino'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Producer, RecordToProduce } from '../../core/broker/broker.ts'
import type { OpenCatalog } from '../../core/catalog/reader.ts'
import { keyOf, type Published, type Resource, revisionOf } from '../../core/catalog/records.ts'
import { channelResource } from '../../test/harness/fakes/resources.ts'
import { FolderPublisher, withLastGood } from './folder-publisher.ts'

/** A catalog that reads what was produced a moment later, as a real one does; `lost` records never arrive. */
let entries: Map<string, Published>
let writes: string[][]
let lost: number
let publisher: FolderPublisher
let catalog: OpenCatalog

beforeEach(() => {
  entries = new Map()
  writes = []
  lost = 0
  const listeners = new Set<() => void>()
  catalog = {
    published: () => entries,
    synced: () => true,
    onChange(listener: () => void) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  } as unknown as OpenCatalog
  const producer: Producer = {
    async produce(records) {
      writes.push(records.map(({ key, value }) => `${value === null ? '-' : '+'}${key}`))
      if (lost-- > 0) throw new Error('the broker is away')
      setTimeout(() => {
        for (const record of records) read(record)
        for (const listener of listeners) listener()
      }, 5)
      return []
    },
  }
  publisher = new FolderPublisher({
    producer,
    catalog,
    topic: 'catalog',
    prepare: async (resources) =>
      void writes.push(resources.map(({ metadata }) => `topics of ${metadata.name}`)),
    logger: pino({ enabled: false }),
  })
})
afterEach(() => publisher.stop())

function read({ key, value }: RecordToProduce): void {
  if (key === 'synced' || key === null) return
  if (value === null) entries.delete(key)
  else entries.set(key, JSON.parse(value.toString()) as Published)
}

const channel = (name: string, latency = '0s'): Resource =>
  channelResource(
    { name },
    { type: 'sms', providers: [{ name: 'one', type: 'sandbox', sandbox: { latency } }] },
  )
const names = () => [...entries.keys()].toSorted().map((key) => key.split('/')[2])

test('published means that the catalog says so', async () => {
  await publisher.publish([channel('a'), channel('b')])
  expect(names()).toEqual(['a', 'b'])
})

test('topics are there before anybody can send to them', async () => {
  await publisher.publish([channel('a')])
  expect(writes).toEqual([['topics of a'], ['+NotificationChannel/default/a', '+synced']])
})

test('a state that follows at once takes back what the one before has only just published', async () => {
  void publisher.publish([channel('a'), channel('b')])
  await publisher.publish([channel('a')])
  expect(names()).toEqual(['a'])
})

test('of many states only the first and the last are written', async () => {
  for (const latency of ['1s', '2s', '3s']) void publisher.publish([channel('a', latency)])
  await publisher.publish([channel('a', '4s')])
  expect(writes.filter(([first]) => first?.startsWith('+'))).toHaveLength(2)
  expect(entries.get(keyOf(channel('a')))?.revision).toBe(revisionOf(channel('a', '4s')))
})

test('what could not be written is written again', async () => {
  lost = 1
  await publisher.publish([channel('a')])
  expect(names()).toEqual(['a'])
})

test('with something wrong in the folder, what it published before stays; with nothing wrong it goes', async () => {
  await publisher.publish([channel('a'), channel('b')])
  expect(withLastGood([channel('a', '1s')], catalog)).toEqual([channel('a', '1s'), channel('b')])
  await publisher.publish([channel('a')])
  expect(names()).toEqual(['a'])
})
