import { expect, it } from 'vitest'
import { manualClock } from '../test/harness/fakes/manual-clock.ts'
import { AppliedStatus } from './applied-status.ts'
import { channels } from './kinds.ts'
import type { KubernetesObject } from './runtime/api/resource-kind.ts'
import { Cache } from './runtime/watch/cache.ts'

const { apiVersion, kind } = channels
const object: KubernetesObject = {
  apiVersion,
  kind,
  metadata: { name: 'email', namespace: 'shop', uid: 'a' },
}
const status = { observedGeneration: 1 }
const { signal } = new AbortController()

function setUp() {
  const objects = new Cache()
  objects.put(object)
  const answer = Promise.withResolvers<void>()
  const applied = new AppliedStatus<KubernetesObject, typeof status>({
    api: { apply: () => answer.promise } as never,
    kind: channels,
    objects,
    fieldManager: 'test',
    part: () => undefined,
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
