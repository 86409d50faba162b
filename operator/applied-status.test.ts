import { expect, it } from 'vitest'
import { manualClock } from '../test/harness/fakes/manual-clock.ts'
import { AppliedStatus } from './applied-status.ts'
import { channels } from './kinds.ts'
import type { KubernetesObject } from './runtime/api/resource-kind.ts'
import { Cache } from './runtime/watch/cache.ts'

const { apiVersion, kind } = channels
const status = { observedGeneration: 1 }
interface Told extends KubernetesObject {
  status?: typeof status
}
const object: Told = {
  apiVersion,
  kind,
  metadata: { name: 'email', namespace: 'shop', uid: 'a' },
}
const { signal } = new AbortController()

function setUp() {
  const objects = new Cache<Told>()
  objects.put(object)
  const answer = Promise.withResolvers<void>()
  const applied = new AppliedStatus<Told, typeof status>({
    api: { apply: () => answer.promise } as never,
    kind: channels,
    objects,
    fieldManager: 'test',
    part: (object) => object.status,
    clock: manualClock(),
  })
  return { objects, answer, applied }
}

it('remembers what it wrote for as long as the object is there', async () => {
  const { objects, answer, applied } = setUp()
  answer.resolve()
  expect(await applied.apply(object, status, signal)).toBe(true)
  expect(applied.last(object)).toEqual(status)
  objects.remove(object)
  expect(applied.last(object)).toBeUndefined()
})

it('remembers nothing of an object that went while it was written', async () => {
  const { objects, answer, applied } = setUp()
  const writing = applied.apply(object, status, signal)
  objects.remove(object)
  answer.resolve()
  expect(await writing).toBe(true)
  expect(applied.last(object)).toBeUndefined()
})

it('writes nothing that was said before it began, and knows when somebody else changes that', async () => {
  const { applied } = setUp()
  const told = { ...object, status }
  expect(await applied.apply(told, { ...status }, signal)).toBe(false)
  expect(applied.isForeign(told)).toBe(false)
  expect(applied.age(told)).toBe(Infinity)
  expect(applied.isForeign({ ...object, status: { observedGeneration: 7 } })).toBe(true)
})
