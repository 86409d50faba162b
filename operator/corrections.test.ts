import { pino } from 'pino'
import { expect, it } from 'vitest'
import { manualClock } from '../test/harness/fakes/manual-clock.ts'
import { createCorrectionTeller, describeCorrection } from './corrections.ts'

const object = { apiVersion: 'v1', kind: 'Secret', metadata: { name: 's', namespace: 'n' } }

it('tells the same once in ten minutes, and logs it each time', () => {
  const clock = manualClock()
  const events: string[] = []
  const lines: string[] = []
  const tell = createCorrectionTeller({
    recordEvent: (_, { type, reason, note }) => void events.push(`${type} ${reason} ${note}`),
    logger: pino({}, { write: (line: string) => void lines.push(line) }),
    clock,
  })
  const other = { ...object, metadata: { ...object.metadata, name: 't' } }
  for (let count = 0; count < 5; count++) tell({ regarding: object, what: 'put back data.a' })
  tell({ regarding: object, what: 'put back data.b' }, { regarding: other, what: 'put back data.a' })
  expect(events).toEqual([
    'Normal DriftCorrected put back data.a',
    'Normal DriftCorrected put back data.b',
    'Normal DriftCorrected put back data.a',
  ])
  expect(lines).toHaveLength(6)
  clock.advance(600_000)
  tell({ regarding: object, what: 'put back data.a' })
  expect(events).toHaveLength(4)
})

it.each([
  [undefined, [], 'it was deleted, and has been made again'],
  [['spec.a', 'spec.b'], [], 'put back spec.a, spec.b'],
  [['spec.a'], ['kubectl-edit'], 'put back spec.a, which kubectl-edit had changed'],
])('says in words what was put right: %j by %j', (fields, by, words) => {
  expect(describeCorrection({ object, fields, by })).toBe(words)
})
