import { expect, it } from 'vitest'
import type { KubernetesObject } from './api/resource-kind.ts'
import { Made } from './made.ts'

type Content = KubernetesObject & { spec: object }

/** An object at a version of it, as a manager wants it or as the API server has it. */
function budget(spec: object, version?: number, uid = 'a'): Content {
  const live = version === undefined ? {} : { uid, resourceVersion: String(version) }
  return {
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    metadata: { name: 'b', namespace: 'n', ...live },
    spec,
  }
}

/** The object as somebody else left it, who owns a field of its spec. */
function taken(spec: object, version: number, field: string): Content {
  const object = budget(spec, version)
  const managedFields = [
    { manager: 'kubectl-edit', operation: 'Update', fieldsV1: { 'f:spec': { [`f:${field}`]: {} } } },
  ]
  return { ...object, metadata: { ...object.metadata, managedFields } }
}

const wanted = budget({ max: 1, selector: { app: 'a' } })
const asWanted = (version: number, uid?: string) => budget(wanted.spec, version, uid)

function made() {
  const memory = new Made('us')
  memory.wrote(wanted, asWanted(4))
  memory.saw(wanted, asWanted(5))
  return memory
}

it('tells what somebody else had changed, and who', () => {
  const live = taken({ max: 2, selector: { app: 'a' } }, 6, 'max')
  const applied = asWanted(7)
  const expected = { object: applied, fields: ['spec.max'], by: ['kubectl-edit'] }
  expect(made().correction({ wanted, live, applied })).toEqual(expected)
  // By who owns it that is known also to one who has only begun to lead.
  expect(new Made('us').correction({ wanted, live, applied })).toEqual(expected)
})

it('tells what somebody had taken away, or put in where there is but one field', () => {
  const without = budget({ selector: { app: 'a' } }, 6)
  const withMore = budget({ max: 1, selector: { app: 'a', tier: 'b' } }, 6)
  const fields = (live: Content) => made().correction({ wanted, live, applied: asWanted(7) })?.fields
  expect(fields(without)).toEqual(['spec.max'])
  expect(fields(withMore)).toEqual(['spec.selector.tier'])
})

it('names what is in a list by its name', () => {
  const withImage = (image: string, version?: number) =>
    budget({ containers: [{ name: 'proxy' }, { name: 'worker', image }] }, version)
  const memory = new Made('us')
  memory.saw(withImage('ours'), withImage('ours', 5))
  const write = { wanted: withImage('ours'), live: withImage('theirs', 6), applied: withImage('ours', 7) }
  expect(memory.correction(write)?.fields).toEqual(['spec.containers[worker].image'])
})

it('tells that somebody had deleted it', () => {
  const applied = asWanted(7, 'another')
  expect(made().correction({ wanted, live: undefined, applied })).toEqual({
    object: applied,
    fields: undefined,
    by: [],
  })
})

it('leaves out what other controllers have written meanwhile', () => {
  const live = budget({ max: 2, selector: { app: 'a' } }, 6)
  const applied = budget({ ...wanted.spec, observed: 3 }, 8)
  expect(made().correction({ wanted, live, applied })?.fields).toEqual(['spec.max'])
})

it.each<[string, Made, { wanted?: Content; live: Content | undefined; applied: Content }]>([
  [
    'it wants something else itself',
    made(),
    { wanted: budget({ max: 3 }), live: asWanted(6), applied: budget({ max: 3 }, 7) },
  ],
  ['it has only begun to lead', new Made('us'), { live: budget({ max: 2 }, 6), applied: asWanted(7) }],
  ['it makes the object for the first time', new Made('us'), { live: undefined, applied: asWanted(1) }],
  ['what it made has not been seen yet', made(), { live: undefined, applied: asWanted(5) }],
  ['what was seen is older than what it made', made(), { live: budget({ max: 2 }, 4), applied: asWanted(5) }],
  [
    'a webhook changes it again at once',
    made(),
    { live: budget({ max: 2 }, 6), applied: budget({ max: 2 }, 6) },
  ],
])('tells nothing where %s', (_what, memory, write) => {
  expect(memory.correction({ wanted, ...write })).toBeUndefined()
})

it('does not take for deleted what it was never shown, as in a dry run', () => {
  const memory = new Made('us')
  memory.wrote(wanted, asWanted(5))
  expect(memory.correction({ wanted, live: undefined, applied: asWanted(6, 'b') })).toBeUndefined()
  memory.saw(wanted, asWanted(5))
  memory.wrote(wanted, asWanted(7))
  expect(memory.correction({ wanted, live: undefined, applied: asWanted(9, 'b') })).toBeDefined()
})

it('does not take what it has deleted for deleted by somebody else', () => {
  const memory = made()
  memory.forget(asWanted(5))
  expect(memory.correction({ wanted, live: undefined, applied: asWanted(9, 'b') })).toBeUndefined()
})

it('goes by its last write where it is shown an older state that was once wanted', () => {
  const memory = made()
  const other = budget({ max: 2 })
  memory.wrote(other, budget({ max: 2 }, 8))
  memory.saw(wanted, asWanted(5))
  const live = budget({ max: 2 }, 8)
  expect(memory.correction({ wanted, live, applied: asWanted(9) })).toBeUndefined()
})
