import { pino } from 'pino'
import { expect, it } from 'vitest'
import type { TopicChange } from '../../core/broker/reconcile-topics.ts'
import type { CorrectionText } from '../corrections.ts'
import { Cache } from '../runtime/watch/cache.ts'
import { createChildTeller, TopicTeller } from './corrections.ts'
import { childLabels } from './names.ts'
import type { ChannelObject } from './status.ts'

const channel = (uid: string): ChannelObject => ({
  apiVersion: 'carillon.dev/v1alpha1',
  kind: 'NotificationChannel',
  metadata: { name: 'email', namespace: 'shop', uid },
  spec: {},
})
const topic = (partitions: number) => ({ name: 't', partitions, replicas: 1, config: {} })
const create: TopicChange = { kind: 'create', spec: topic(3) }
const configure: TopicChange = { kind: 'configure', topic: 't', config: { 'retention.ms': '9' } }
const grow: TopicChange = { kind: 'grow', topic: 't', from: 1, to: 3 }

/** What is told of looks at the topics of channels, one after the other. */
function told(...looks: { uid?: string; partitions?: number; changes: TopicChange[]; known?: string[] }[]) {
  const lines: string[] = []
  const teller = new TopicTeller({
    recordEvent: (_, { type, reason }) => void lines.push(`${type} ${reason}`),
    tellCorrection: ({ what }) => void lines.push(what),
    logger: pino({ level: 'silent' }),
  })
  for (const { uid = 'a', partitions = 3, changes, known = [] } of looks)
    teller.tell(channel(uid), { specs: [topic(partitions)], changes }, known)
  return lines
}

it('tells of settings and partitions of topics that had been right', () => {
  expect(told({ changes: [] }, { changes: [configure, grow] })).toEqual([
    'topic t: put back retention.ms=9',
    'topic t: put back 3 partitions, of which there were 1',
  ])
})

it.each<[string, Parameters<typeof told>]>([
  ['what the channel asks for anew', [{ changes: [], partitions: 1 }, { changes: [grow] }]],
  ['what an operator finds that has only begun', [{ changes: [configure] }]],
  ['another channel of the name', [{ changes: [] }, { changes: [configure], uid: 'b' }]],
  ['a topic that the channel did not have', [{ changes: [] }, { changes: [create], known: ['other'] }]],
])('tells nothing of %s', (_what, looks) => {
  expect(told(...looks)).toEqual([])
})

it('warns of a topic that the channel had, also where the operator has only begun', () => {
  expect(told({ changes: [create], known: ['t'] })).toEqual(['Warning TopicRecreated'])
})

it('tells of a child to whoever looks at it, and to the owner of its channel while there is one', () => {
  const channels = new Cache<ChannelObject>()
  const texts: string[] = []
  const tell = createChildTeller(channels, (...all: readonly CorrectionText[]) =>
    texts.push(...all.map(({ regarding, what }) => `${regarding.kind}: ${what}`)),
  )
  const metadata = {
    name: 'b',
    namespace: 'system',
    labels: childLabels({ namespace: 'shop', name: 'email' }),
  }
  const object = { apiVersion: 'policy/v1', kind: 'PodDisruptionBudget', metadata }
  const ofChild =
    'PodDisruptionBudget: put back spec.maxUnavailable: edit NotificationChannel shop/email instead'
  tell({ object, fields: ['spec.maxUnavailable'], by: [] })
  expect(texts).toEqual([ofChild])
  channels.put(channel('a'))
  tell({ object, fields: ['spec.maxUnavailable'], by: [] })
  expect(texts.slice(1)).toEqual([
    ofChild,
    'NotificationChannel: PodDisruptionBudget system/b: put back spec.maxUnavailable',
  ])
})
