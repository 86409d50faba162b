import { describe, expect, it } from 'vitest'
import { staticCatalog } from '../../test/harness/fakes/static-catalog.ts'
import { createCheckData } from './check-data.ts'

const entryOf = (variables: Record<string, unknown>) =>
  staticCatalog({
    channels: {},
    templates: { t: { variables: { type: 'object', ...variables }, content: { sms: { text: 'x' } } } },
  }).template('default', 't')!

/** Whether the check is left to a thread. */
async function isLeft(variables: Record<string, unknown>, data: Record<string, unknown>): Promise<boolean> {
  let left = false
  const checkData = createCheckData({
    async validate() {
      left = true
      return { kind: 'busy' }
    },
  })
  await checkData(entryOf(variables), data)
  return left
}

const list = (length: number) => Array.from({ length }, () => 0)
const names = Array.from({ length: 40 }, (_, index) => `name_${index}`)
const strings = Object.fromEntries(names.map((name) => [name, { type: 'string', maxLength: 200 }]))
const texts = Object.fromEntries(names.map((name) => [name, 'x'.repeat(100)]))

describe('data are checked', () => {
  it.each<[string, Record<string, unknown>, Record<string, unknown>]>([
    ['40 texts of a hundred characters', { properties: strings }, texts],
    ['a list of a thousand rows', { properties: { a: { items: { type: 'number' } } } }, { a: list(1_000) }],
    [
      'a short list without repetitions',
      { properties: { a: { uniqueItems: true, maxItems: 20 } } },
      { a: [1] },
    ],
  ])('at once: %s', async (_, variables, data) => {
    expect(await isLeft(variables, data)).toBe(false)
  })

  it.each<[string, Record<string, unknown>, Record<string, unknown>]>([
    ['many schemas', { allOf: Array.from({ length: 100 }, () => ({ properties: { a: {} } })) }, {}],
    ['many values', { properties: { a: { items: { type: 'number' } } } }, { a: list(50_000) }],
    ['much text', { properties: { a: { format: 'email' } } }, { a: 'x'.repeat(250_000) }],
    ['long names', { additionalProperties: { type: 'number' } }, { ['x'.repeat(250_000)]: 1 }],
    [
      'every item with every other',
      { properties: { a: { uniqueItems: true, maxItems: 1_000 } } },
      { a: [1] },
    ],
    [
      'what others have not seen',
      {
        anyOf: names.map((name) => ({ properties: { [name]: { type: 'string' } } })),
        unevaluatedProperties: false,
      },
      {},
    ],
  ])('in a thread: %s', async (_, variables, data) => {
    expect(await isLeft(variables, data)).toBe(true)
  })

  it('with the same answer in both', async () => {
    const checkData = createCheckData({ validate: async () => ({ ok: true, data: { from: 'thread' } }) })
    const entry = entryOf({ properties: { n: { type: 'number', default: 1 } } })
    expect(await checkData(entry, {})).toEqual({ ok: true, data: { n: 1 } })
    expect(await checkData(entry, { n: list(50_000) })).toEqual({ ok: true, data: { from: 'thread' } })
  })
})
