import { setTimeout as delay } from 'node:timers/promises'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { z } from 'zod'
import { failureClasses } from '../../core/notification/failure.ts'
import type { Message } from '../../core/notification/message.ts'
import type {
  NotSent,
  Outcome,
  Provider,
  ProviderDefinition,
  ProviderOptions,
  SendContext,
  Sent,
} from '../../core/providers/provider.ts'
import { numberedId } from '../harness/ledger-rows.ts'

/** What a fixture tells of its provider. The counterparts are real servers on the loopback interface. */
export interface ProviderFixture {
  /** Settings as a manifest would hold them. */
  example: Record<string, unknown>
  /** The places of a message that a text can be put into. */
  slots: Record<string, (to: string, text: string) => Message>
  /** Starts a counterpart that takes everything. */
  start(): Promise<Counterpart>
  /** What can go wrong, and the class it must get. */
  faults: readonly Fault[]
  /** What only this provider promises. */
  specifics(): void
}

export interface Target {
  settings: Record<string, unknown>
  secrets: Record<string, string>
  /** An address that leads to it. */
  to: string
  /** For providers that keep the message in the house. */
  options?: Pick<ProviderOptions<unknown>, 'capture'>
}

export interface Counterpart extends Target {
  /** What arrived, in order. */
  arrivals: readonly Arrival[]
  /** Writes what the provider wants written with the outcome. */
  commit?: NonNullable<Sent['commitWith']> extends (transaction: infer T) => Promise<void>
    ? (write: (transaction: T) => Promise<void>) => Promise<void>
    : never
  /** Connections it ever took, and those open now. */
  connections(): { total: number; open: number }
  close(): Promise<void>
}

export interface Arrival {
  deliveryId: string
  /** By slot. Line ends may have changed to LF, and white space at the end may be gone. */
  texts: Record<string, string>
}

export interface Fault {
  name: string
  arrange(): Promise<Arranged>
  expected: Partial<Outcome>
}

export interface Arranged extends Partial<Target> {
  to: string
  settings: Record<string, unknown>
  /** Where given, the send is aborted as soon as it resolves; the other side then stays silent. */
  stalled?: Promise<unknown>
  /** Messages that arrived whole; where given, there must be none. */
  arrivals?: readonly unknown[]
  /** Where given, an abort must end them. */
  connections?: Counterpart['connections']
  close(): Promise<void>
}

const maxConcurrent = 5
const marker = 'payload-marker-7c1f'
const hostileTexts = {
  'a header line': 'x\r\nBcc: victim@example.com',
  'a line feed': 'one\ntwo',
  'a carriage return': 'one\rtwo',
  NUL: 'a\0b',
  'the end of an SMTP message': 'a\r\n.\r\nMAIL FROM:<x@example.com>\r\nb',
  'lines of one dot': '.\n..\n.',
  emoji: 'zażółć 👩‍👩‍👧 🏴󠁧󠁢󠁥󠁮󠁧󠁿',
  'right to left': 'שלום \u202Eabc\u202C العربية',
  HTML: '<script>alert("1")</script> & &amp; <a href="javascript:alert(1)">x</a>',
  'a template': '{{ data.secret }} ${process.env.HOME} %s %n',
  'an encoded word': '=?utf-8?B?SGk=?=',
  'a long line': 'word '.repeat(2000).trim(),
}

/** Everything that a provider promises by being one; `test/conformance/providers/<type>.ts` has the fixture. */
export function describeProvider(definition: ProviderDefinition, fixture: ProviderFixture): void {
  const example = Object.values(fixture.slots)[0]!

  describe(definition.type, () => {
    let counterpart: Counterpart
    beforeAll(async () => {
      counterpart = await fixture.start()
    })
    afterAll(() => counterpart.close())

    describe('declaration', () => {
      test('every setting has a description and bounds', () => {
        const schema = z.toJSONSchema(definition.settings, { io: 'input' })
        expect(findUnbounded(schema, definition.type)).toEqual([])
        expect(definition.description).not.toBe('')
      })

      test('settings and secrets have names as Kubernetes writes them', () => {
        for (const name of Object.keys(definition.settings.shape)) expect(name).toMatch(/^[a-z][a-zA-Z0-9]*$/)
        for (const { key, description } of definition.secrets) {
          expect(key).toMatch(/^[a-z][a-z0-9._-]*$/)
          expect(description).not.toBe('')
        }
      })

      test('the example is read, and an unknown setting refused', () => {
        expect(definition.settings.safeParse(fixture.example).error).toBeUndefined()
        expect(definition.settings.safeParse({ ...fixture.example, surprise: 1 }).success).toBe(false)
      })
    })

    describe('life', () => {
      test('open has no side effects', async () => {
        const before = process.getActiveResourcesInfo().toSorted()
        const { total } = counterpart.connections()
        const provider = open(definition, counterpart)
        expect(process.getActiveResourcesInfo().toSorted()).toEqual(before)
        await provider.close()
        expect(counterpart.connections().total).toBe(total)
      })

      test('close is idempotent and leaves no connection', async () => {
        const provider = open(definition, counterpart)
        expect(await send(provider, example(counterpart.to, 'x'))).toMatchObject({ class: 'sent' })
        await Promise.all([provider.close(), provider.close()])
        await provider.close()
        await expect.poll(() => counterpart.connections().open, { interval: 5 }).toBe(0)
      })

      test('100 sends at once share the connections', async () => {
        const before = counterpart.connections().total
        const provider = open(definition, counterpart)
        const sendMany = () =>
          Array.from({ length: 100 }, (_, i) => send(provider, example(counterpart.to, String(i))))
        for (const sends of [sendMany, sendMany]) {
          const classes = (await Promise.all(sends())).map((outcome) => outcome.class)
          expect(new Set(classes)).toEqual(new Set(['sent']))
          expect(counterpart.connections().total - before).toBeLessThanOrEqual(maxConcurrent)
        }
      })
    })

    describe('sending', () => {
      test('one send is one message, and every attempt has the same id', async () => {
        const provider = open(definition, counterpart)
        const before = counterpart.arrivals.length
        const context = nextContext()
        const outcomes = [
          await send(provider, example(counterpart.to, marker), context),
          await send(provider, example(counterpart.to, marker), { ...context, attempt: 2 }),
        ]
        expect(outcomes.map((outcome) => outcome.class)).toEqual(['sent', 'sent'])
        const ids = counterpart.arrivals.slice(before).map(({ deliveryId }) => deliveryId)
        expect(new Set(ids)).toEqual(new Set([context.deliveryId]))
        // Committing twice is how the inbox drops a repeat; elsewhere dropping is the receiver's part.
        expect(ids).toHaveLength(definition.idempotency === 'transaction' ? 1 : 2)
      })

      test('a signal aborted before the send: nothing is sent', async () => {
        const provider = open(definition, counterpart)
        const before = counterpart.arrivals.length
        const outcome = await send(provider, example(counterpart.to, 'x'), nextContext(), AbortSignal.abort())
        expect(outcome).toMatchObject({ class: 'not_sent' })
        // A later send that arrives shows that the earlier one does not come after all.
        expect(await send(provider, example(counterpart.to, 'y'))).toMatchObject({ class: 'sent' })
        expect(counterpart.arrivals.length).toBe(before + 1)
      })

      const hostile = Object.keys(fixture.slots).flatMap((slot) =>
        Object.entries(hostileTexts).map(([name, text]) => [slot, name, text] as const),
      )
      test.each(hostile)('%s with %s arrives as it is, or is refused', async (slot, _name, text) => {
        const provider = open(definition, counterpart)
        const before = counterpart.arrivals.length
        const outcome = await send(provider, fixture.slots[slot]!(counterpart.to, text))
        const arrived = counterpart.arrivals.slice(before).map(({ texts }) => normalise(texts[slot]))
        expect(['sent', 'poison', 'rejected']).toContain(outcome.class)
        expect(arrived).toEqual(outcome.class === 'sent' ? [normalise(text)] : [])
      })

      test('any text has one of the outcomes', async () => {
        const provider = open(definition, counterpart)
        const slot = fc.constantFrom(...Object.values(fixture.slots))
        const anyText = fc.string({ unit: 'binary', maxLength: 200 })
        await fc.assert(
          fc.asyncProperty(slot, anyText, fc.option(anyText), async (message, text, address) => {
            const outcome = await send(provider, message(address ?? counterpart.to, text))
            expect(['sent', 'poison', 'rejected']).toContain(outcome.class)
          }),
          { numRuns: 60 },
        )
      })
    })

    describe('faults', () => {
      test.each(fixture.faults.map((fault) => [fault.name, fault] as const))('%s', async (_name, fault) => {
        const arranged = await fault.arrange()
        onTestFinished(() => arranged.close())
        const provider = open(definition, { secrets: counterpart.secrets, ...arranged })
        const controller = new AbortController()
        const sending = send(provider, example(arranged.to, marker), nextContext(), controller.signal)
        if (arranged.stalled) {
          await Promise.race([arranged.stalled, sending])
          controller.abort()
          // The other side would be silent for ever: what ends the send is the abort, if it ends.
          const late = delay(10_000, 'not ended by the abort', { ref: false })
          expect(await Promise.race([sending, late])).toMatchObject(fault.expected)
          await expect.poll(() => arranged.connections?.().open ?? 0, { interval: 5 }).toBe(0)
        }
        expect(await sending).toMatchObject(fault.expected)
        if (arranged.arrivals) expect(arranged.arrivals).toEqual([])
      })
    })

    describe('of its own', () => fixture.specifics())
  })
}

/** Opens a provider for one test. Each of its outcomes is checked for words that must not leave the provider. */
export function open(
  definition: ProviderDefinition,
  target: Omit<Target, 'to'>,
  clock = { now: () => Date.now() },
): Provider {
  const provider = definition.open({
    settings: definition.settings.parse(target.settings),
    secret: (key) => target.secrets[key],
    maxConcurrent,
    clock,
    ...target.options,
  })
  onTestFinished(() => provider.close())
  const { commit } = target as Partial<Counterpart>
  return {
    async send(message, context, signal) {
      const outcome = await provider.send(message, context, signal)
      if (outcome.class === 'sent') {
        if (outcome.commitWith) await commit!(outcome.commitWith)
      } else {
        expectNoLeak(outcome, [message.to, marker, ...Object.values(target.secrets)])
      }
      return outcome
    },
    close: () => provider.close(),
  }
}

/** Sends with a fresh context and enough time, unless told otherwise. */
export function send(
  provider: Provider,
  message: Message,
  context: SendContext = nextContext(),
  signal: AbortSignal = AbortSignal.timeout(30_000),
): Promise<Outcome> {
  return provider.send(message, context, signal)
}

let deliveries = 0

export function nextContext(): SendContext {
  deliveries += 1
  return {
    deliveryId: `dlv_${String(deliveries).padStart(26, '0')}`,
    deliveryUuid: numberedId(deliveries),
    tenant: 'shop',
    attempt: 1,
  }
}

function expectNoLeak({ class: failureClass, detail, code = '' }: NotSent, words: readonly string[]): void {
  expect(failureClasses).toContain(failureClass)
  const text = `${code} ${detail}`
  expect(text).not.toMatch(/[\r\n]|:\/\/|\d+\.\d+\.\d+\.\d+|localhost/)
  for (const word of words) if (word.length > 3) expect(text).not.toContain(word)
}

function normalise(text = ''): string {
  return text.replace(/\r\n?/g, '\n').trimEnd()
}

/** Paths of the schema that lack a description or a bound: what a CRD needs for its documents and its CEL budget. */
function findUnbounded(schema: z.core.JSONSchema.BaseSchema, path: string): string[] {
  const properties = Object.entries(schema.properties ?? {})
  const undescribed = properties.filter(
    ([, property]) => typeof property === 'boolean' || !property.description,
  )
  const nested = properties.flatMap(([name, property]) =>
    typeof property === 'boolean' ? [] : findUnbounded(property, `${path}.${name}`),
  )
  const items = schema.items === undefined || typeof schema.items === 'boolean' ? [] : [schema.items].flat()
  const within = items.flatMap((item) => (typeof item === 'boolean' ? [] : findUnbounded(item, `${path}[]`)))
  return [
    ...undescribed.map(([name]) => `${path}.${name} has no description`),
    ...unboundedSelf(schema, path),
    ...nested,
    ...within,
  ]
}

function unboundedSelf(schema: z.core.JSONSchema.BaseSchema, path: string): string[] {
  const { type, enum: values, maxLength, minimum, maximum, maxItems } = schema
  const bounded =
    (type !== 'string' || values !== undefined || maxLength !== undefined) &&
    ((type !== 'number' && type !== 'integer') || (minimum !== undefined && maximum !== undefined)) &&
    (type !== 'array' || maxItems !== undefined)
  return bounded ? [] : [`${path} has no bounds`]
}
