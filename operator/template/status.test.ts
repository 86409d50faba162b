import { expect, it } from 'vitest'
import { manualClock } from '../../test/harness/fakes/manual-clock.ts'
import { Cache } from '../runtime/watch/cache.ts'
import { isFalse, isTrue } from '../channel/condition-texts.ts'
import { createTemplateStatusWriter, type TemplateObject } from './status.ts'

const { signal } = new AbortController()
const object = (uid: string): TemplateObject => ({
  apiVersion: 'carillon.dev/v1alpha1',
  kind: 'NotificationTemplate',
  metadata: { name: 'welcome', namespace: 'shop', uid, generation: 1 },
  spec: {},
})
const serves = { Ready: isTrue('Serving', 'revision 1 serves'), Valid: isTrue('Valid', 'valid') }
const waits = { ...serves, Ready: isFalse('NotPublished', 'Kafka is away') }

function writerAndEvents() {
  const clock = manualClock()
  const objects = new Cache<TemplateObject>()
  objects.put(object('a'))
  const written: { conditions?: { type: string; lastTransitionTime: string }[] }[] = []
  const events: string[] = []
  const api = {
    apply: async (_kind: unknown, { status }: { status?: object }) => void written.push(status as object),
  }
  const writer = createTemplateStatusWriter({
    api: api as never,
    objects,
    clock,
    recordEvent: ({ metadata }, { type, reason }) => events.push(`${metadata.uid} ${type} ${reason}`),
  })
  return { clock, written, events, writer }
}

it('tells a transition once, though the watch has not brought back what was written', async () => {
  const { clock, written, events, writer } = writerAndEvents()
  await writer.write(object('a'), serves, {}, signal)
  clock.advance(5_000)
  await writer.write(object('a'), serves, { revision: '2' }, signal)
  await writer.write(object('a'), waits, {}, signal)
  expect(events).toEqual(['a Normal Serving', 'a Warning NotPublished'])
  const readySince = written.map(({ conditions }) => conditions?.find(({ type }) => type === 'Ready'))
  expect(readySince.map((condition) => condition?.lastTransitionTime)).toEqual([
    '2026-01-01T00:00:00Z',
    '2026-01-01T00:00:00Z',
    '2026-01-01T00:00:05Z',
  ])
})

it('tells what no longer serves for another reason', async () => {
  const { events, writer } = writerAndEvents()
  const isInvalid = { ...serves, Ready: isFalse('InvalidContent', 'no such filter') }
  for (const texts of [waits, waits, isInvalid, serves]) await writer.write(object('a'), texts, {}, signal)
  expect(events).toEqual(['a Warning NotPublished', 'a Warning InvalidContent', 'a Normal Serving'])
})

it('begins anew with an object that was deleted and made again between two looks', async () => {
  const { events, writer } = writerAndEvents()
  await writer.write(object('a'), serves, {}, signal)
  expect(writer.isForeign(object('b'))).toBe(false)
  await writer.write(object('b'), serves, {}, signal)
  expect(events).toEqual(['a Normal Serving', 'b Normal Serving'])
})
