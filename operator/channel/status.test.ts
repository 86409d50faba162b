import { expect, it } from 'vitest'
import { manualClock } from '../../test/harness/fakes/manual-clock.ts'
import { Cache } from '../runtime/watch/cache.ts'
import { isFalse, isTrue } from './condition-texts.ts'
import type { ChannelFindings } from './conditions.ts'
import { type ChannelObject, createStatusWriter } from './status.ts'

const { signal } = new AbortController()
const channel: ChannelObject = {
  apiVersion: 'carillon.dev/v1alpha1',
  kind: 'NotificationChannel',
  metadata: { name: 'email', namespace: 'shop', uid: 'a', generation: 1 },
  spec: {},
}
const fine: ChannelFindings = {
  Accepted: isTrue('Accepted', 'valid'),
  CredentialsReady: isTrue('CredentialsReady', 'there'),
  TopicsReady: isTrue('TopicsReady', 'there'),
  WorkersReady: isTrue('WorkersReady', '1 of 1'),
  Durable: isTrue('Durable', 'two copies'),
}
const noSecret = isFalse('SecretNotFound', 'there is no Secret smtp')
const noKey = isFalse('SecretKeyMissing', 'Secret smtp has no key password')
const noDeployment = isFalse('NoDeployment', 'not created yet')
const notReady = isFalse('WorkersNotReady', 'none of 1 workers is ready')
const asleep = isTrue('ScaledToZero', 'none is needed')
const crashed = isFalse('CrashLoopBackOff', 'none of 1 workers is ready: exit code 1')

/** The Events of a channel that is found so, one look after the other. */
async function eventsOf(...looks: ChannelFindings[]): Promise<string[]> {
  const objects = new Cache<ChannelObject>()
  objects.put(channel)
  const events: string[] = []
  const writer = createStatusWriter({
    api: { apply: async () => undefined } as never,
    objects,
    clock: manualClock(),
    recordEvent: (_, { type, reason, action }) => events.push(`${type} ${action} ${reason}`),
  })
  for (const findings of looks) await writer.write(channel, { ...fine, ...findings }, {}, signal)
  return events
}

it.each<[string, ChannelFindings[], string[]]>([
  ['workers that start', [{ WorkersReady: notReady }, {}], ['Normal Ready Ready']],
  [
    'workers that are woken',
    [{}, { WorkersReady: asleep }, { WorkersReady: notReady }, {}],
    ['Normal Ready Ready', 'Normal Ready Ready'],
  ],
  [
    'workers that cease to be ready',
    [{}, { WorkersReady: notReady }],
    ['Normal Ready Ready', 'Warning WorkersReady WorkersNotReady'],
  ],
  [
    'workers that do not get there',
    [{ WorkersReady: notReady }, { WorkersReady: crashed }],
    ['Warning WorkersReady CrashLoopBackOff'],
  ],
  [
    'a Secret that is not there, and then is',
    [{ CredentialsReady: noSecret, WorkersReady: noDeployment }, { WorkersReady: notReady }, {}],
    ['Warning CredentialsReady SecretNotFound', 'Normal Ready Ready'],
  ],
  [
    'a Secret that is not there, and then lacks a key',
    [noSecret, noKey, noKey].map((CredentialsReady) => ({ CredentialsReady, WorkersReady: noDeployment })),
    ['Warning CredentialsReady SecretNotFound', 'Warning CredentialsReady SecretKeyMissing'],
  ],
])('tells of %s what there is to act on, once', async (_what, looks, events) => {
  expect(await eventsOf(...looks)).toEqual(events)
})
