import { describe, expect, it } from 'vitest'
import type { TopicSpec } from '../broker/broker.ts'
import { planOwnership } from './owned-topics.ts'
import { creatingMark, type TopicMark } from './records.ts'

const spec: TopicSpec = { name: 't', partitions: 3, replicas: 1, config: { 'retention.ms': '1' } }
const channel = 'shop/email'
const owner = { channel, deletionPolicy: 'Delete' } as const
const creating = creatingMark(owner, spec)
const created: TopicMark = { state: 'created', ...owner }
const adopted: TopicMark = { state: 'adopted', ...owner }
const other = { ...spec, config: { 'retention.ms': '2' } }
const decorated = { ...spec, config: { ...spec.config, 'segment.ms': '9' } }

const plan = (found: TopicSpec | undefined, mark: TopicMark | undefined, adopts = false) => {
  const marks = new Map(mark && [[spec.name, mark]])
  const { marks: written, refusals } = planOwnership([spec], found ? [found] : [], marks, {
    ...owner,
    adopts,
  })
  return refusals[0] ?? written[0]?.[1]
}

describe('what a channel may have', () => {
  it.each<[string, TopicSpec | undefined, TopicMark | undefined, TopicMark]>([
    ['what is not there', undefined, undefined, creating],
    ['what it began to make, and did not', undefined, creating, creating],
    ['what it made, and is gone', undefined, created, created],
    ['what it adopted, and is gone: it is still not to be deleted', undefined, adopted, adopted],
    ['what it began to make, and made', spec, creating, created],
    ['what it began to make, and Kafka gave a setting of its own', decorated, creating, created],
    ['what it made, whatever it looks like', other, created, created],
    ['what it adopted', other, adopted, adopted],
    [
      'what was made for another channel of its namespace',
      spec,
      { ...created, channel: 'shop/old' },
      created,
    ],
    ['what was to stay, and now goes with it', spec, { ...created, deletionPolicy: 'Retain' }, created],
    ['what is gone of another namespace', undefined, { ...created, channel: 'bank/old' }, created],
  ])('%s', (_what, found, mark, expected) => {
    expect(plan(found, mark)).toEqual(expected)
    expect(plan(found, mark, true)).toEqual(expected)
  })

  it.each<[string, TopicMark | undefined]>([
    ['what is there and nothing is written down of', undefined],
    ['what it began to make, and looks otherwise', creating],
  ])('only adopted: %s', (_what, mark) => {
    expect(plan(other, mark)).toContain('this install did not make it')
    expect(plan(other, mark, true)).toEqual(adopted)
  })

  it('what another namespace began to make, and somebody else made, is of neither', () => {
    const abroad = creatingMark({ ...owner, channel: 'bank/old' }, spec)
    expect(plan(other, abroad)).toContain('this install did not make it')
    expect(plan(other, abroad, true)).toEqual(adopted)
    expect(plan(spec, abroad, true)).toContain('NotificationChannel bank/old')
  })

  it('never what is of another namespace', () => {
    for (const adopts of [false, true])
      expect(plan(spec, { ...created, channel: 'bank/old' }, adopts)).toContain(
        'NotificationChannel bank/old',
      )
  })
})
