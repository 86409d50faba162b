import { expect, it } from 'vitest'
import { manualClock } from '../../test/harness/fakes/manual-clock.ts'
import { Cache } from '../runtime/watch/cache.ts'
import type { ChannelObject } from '../channel/status.ts'
import { createScalingStatusWriter } from './status.ts'

const { signal } = new AbortController()
const object: ChannelObject = {
  apiVersion: 'carillon.dev/v1alpha1',
  kind: 'NotificationChannel',
  metadata: { name: 'email', namespace: 'shop', uid: 'a', generation: 1 },
  spec: {},
}
const scaling = { status: 'True' as const, reason: 'Steady', message: '1 wanted' }
const provider = (status: 'True' | 'False') => ({ status, reason: `Is${status}`, message: 'primary' })
const none = { activeProvider: undefined, lag: undefined, deadLetters: undefined }

it('tells once that providers fail, and that they work again, before the watch brings any of it back', async () => {
  const clock = manualClock()
  const objects = new Cache<ChannelObject>()
  objects.put(object)
  const events: string[] = []
  let writes = 0
  const write = createScalingStatusWriter({
    api: { apply: async () => void writes++ } as never,
    objects,
    clock,
    recordEvent: (_, { type, reason, note }) => events.push(`${type} ${reason} ${note}`),
  })
  for (const status of ['True', 'False', 'False', 'True'] as const) {
    await write(object, { ...none, scaling, provider: provider(status) }, signal)
    clock.advance(5_000)
  }
  expect(events).toEqual([
    'Warning IsFalse ProviderHealthy=False: primary',
    'Normal IsTrue ProviderHealthy=True: primary',
  ])
  expect(writes).toBeGreaterThanOrEqual(3)
})

it('tells when no provider is left after one took over for another', async () => {
  const objects = new Cache<ChannelObject>()
  objects.put(object)
  const events: string[] = []
  const write = createScalingStatusWriter({
    api: { apply: async () => undefined } as never,
    objects,
    clock: manualClock(),
    recordEvent: (_, { type, reason }) => events.push(`${type} ${reason}`),
  })
  for (const reason of ['FailedOver', 'NoProviderAvailable', 'NoProviderAvailable'])
    await write(object, { ...none, scaling, provider: { ...provider('False'), reason } }, signal)
  expect(events).toEqual(['Warning FailedOver', 'Warning NoProviderAvailable'])
})

it('tells new numbers now and then, but at once that they are known, or no longer', async () => {
  const clock = manualClock()
  const objects = new Cache<ChannelObject>()
  objects.put(object)
  const lags: unknown[] = []
  const write = createScalingStatusWriter({
    api: {
      apply: async (_kind: unknown, { status }: { status?: ChannelObject['status'] }) => {
        lags.push(status?.lag)
        const resourceVersion = String(lags.length)
        objects.put({
          ...object,
          metadata: { ...object.metadata, resourceVersion },
          ...(status && { status }),
        })
      },
    } as never,
    objects,
    clock,
    recordEvent: () => {},
  })
  for (const lag of [undefined, 1, 2, 3, undefined, 4, 5, 5, 5, 5, 5, 6]) {
    await write(objects.list()[0]!, { ...none, scaling, provider: provider('True'), lag }, signal)
    clock.advance(5_000)
  }
  expect(lags).toEqual([undefined, 1, undefined, 4, 6])
})
