import { expect, it } from 'vitest'
import { nextConditions, transitions } from './conditions.ts'

const noon = Date.parse('2026-01-01T12:00:00.500Z')
const ready = { status: 'True', reason: 'Synced', message: 'all is well' } as const
const broken = { status: 'False', reason: 'KafkaError', message: 'no broker' } as const

it('keeps the time of a condition until its status changes', () => {
  const first = nextConditions([], { Ready: ready }, { generation: 1, now: noon })
  expect(first).toEqual([
    { type: 'Ready', ...ready, observedGeneration: 1, lastTransitionTime: '2026-01-01T12:00:00Z' },
  ])
  const reworded = nextConditions(
    first,
    { Ready: { ...ready, message: 'still' } },
    { generation: 2, now: noon + 60_000 },
  )
  expect(reworded[0]).toMatchObject({
    message: 'still',
    observedGeneration: 2,
    lastTransitionTime: '2026-01-01T12:00:00Z',
  })
  const changed = nextConditions(reworded, { Ready: broken }, { generation: 2, now: noon + 60_000 })
  expect(changed[0]).toMatchObject({ status: 'False', lastTransitionTime: '2026-01-01T12:01:00Z' })
})

it('says the very same when nothing changed', () => {
  const first = nextConditions([], { Ready: ready, Valid: broken }, { generation: 1, now: noon })
  expect(nextConditions(first, { Ready: ready, Valid: broken }, { generation: 1, now: noon + 1e6 })).toEqual(
    first,
  )
})

it('tells new conditions and changed ones', () => {
  const before = nextConditions([], { Ready: ready, Valid: ready }, { generation: 1, now: noon })
  const after = nextConditions(
    before,
    { Ready: broken, Valid: ready, Other: ready },
    { generation: 1, now: noon },
  )
  expect(transitions(before, after).map(({ type }) => type)).toEqual(['Ready', 'Other'])
})
