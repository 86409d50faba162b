import type { NotSent } from '../../core/providers/provider.ts'
import { channelOf, type Scenario } from './scenario.ts'
import type { Answer, Behaviour } from './vendor.ts'
import type { World } from './world.ts'

const takes: Answer = { outcome: { class: 'sent' }, taken: true, milliseconds: 20 }
const fails = (failure: NotSent['class'], change: Partial<Answer> = {}): Answer => ({
  outcome: { class: failure, detail: 'as told' },
  taken: false,
  milliseconds: 20,
  ...change,
})
/** Fails so often, then takes. */
const after =
  (failures: number, failing: Answer): Behaviour =>
  ({ nth }) =>
    nth <= failures ? failing : takes

const [ada, bob, mallory] = ['+15550001', '+15550002', '+15550003']
/** Three messages, two of them to one recipient. */
const few = [
  { at: 0, to: ada },
  { at: 5, to: ada },
  { at: 10, to: bob },
]
const base = {
  channel: channelOf(),
  idempotency: 'none',
  workers: 1,
  requests: few,
  vendor: () => takes,
  events: [],
  ends: { '*': 'sent' },
} as const satisfies Omit<Scenario, 'name'>

function away(world: World, part: 'store' | 'broker', milliseconds: number): void {
  world.set(part, 'away')
  world.time.after(milliseconds, () => world.set(part, 'up'))
}

/** Makes a topic refuse every record that has a payload. */
function limit({ cluster }: World, topic: string): void {
  cluster.log.alterConfig(topic, { 'max.message.bytes': '1' })
}

const hold = { channel: channelOf({ delivery: { onUnknown: 'Hold' } }), orElse: ['unknown'] } as const

/** Two slots, calls as short as a claim, and a dozen that want them: some are claimed before a slot is free. */
const ahead = {
  ...base,
  channel: channelOf({ delivery: { concurrency: 2, maxAttempts: 8 } }),
  requests: Array.from({ length: 12 }, (_, index) => ({ at: index, to: `+1555010${index % 10}` })),
  vendor: () => ({ ...takes, milliseconds: 3 }),
} as const satisfies Omit<Scenario, 'name'>
/** Those of them that are claimed and wait at this time do so for longer than they may. */
const hanging: Behaviour = ({ elapsed }) => ({
  ...takes,
  milliseconds: elapsed > 60 && elapsed < 100 ? 950 : 3,
})

export const scenarios: Scenario[] = [
  { ...base, name: 'plain success' },
  { ...base, name: 'retry, then success', vendor: after(1, fails('not_sent')) },
  {
    ...base,
    name: 'two providers, the first is away',
    channel: channelOf({ providers: ['first', 'second'] }),
    vendor: ({ provider }) => (provider === 'first' ? fails('not_sent') : takes),
  },
  { ...base, name: 'rate limited', vendor: after(2, fails('rate_limited')) },
  { ...base, name: 'permanent rejection', vendor: () => fails('rejected'), ends: { '*': 'failed' } },
  {
    ...base,
    name: 'retries exhausted',
    requests: few.slice(0, 1),
    vendor: () => fails('not_sent'),
    ends: { '*': 'dead_lettered' },
  },
  { ...base, name: 'outcome not known, Retry', vendor: after(1, fails('maybe_sent', { taken: true })) },
  {
    ...base,
    name: 'outcome not known, Retry, with a key',
    idempotency: 'key',
    vendor: after(1, fails('maybe_sent', { taken: true })),
  },
  {
    ...base,
    ...hold,
    name: 'outcome not known, Hold',
    vendor: after(1, fails('maybe_sent', { taken: true })),
    ends: { '*': 'unknown' },
  },
  { ...base, ...hold, name: 'success under Hold' },
  {
    ...base,
    name: 'no answer in time',
    requests: few.slice(1),
    vendor: after(1, { ...takes, milliseconds: 5_000 }),
  },
  {
    ...base,
    name: 'a second worker joins',
    requests: [...few, { at: 400, to: ada }, { at: 450, to: bob }, { at: 900, to: ada }],
    vendor: () => ({ ...takes, milliseconds: 300 }),
    events: [{ at: 200, act: (world) => world.add('worker 2') }],
  },
  {
    // Two are finished and not yet committed; the other worker goes on from the beginning, and commits first.
    ...base,
    name: 'frozen in the call, then thawed',
    workers: 2,
    requests: [0, 1, 2, 3].map((at) => ({ at, to: ada })),
    vendor: () => ({ ...takes, milliseconds: 100 }),
    events: [{ call: 'send primary', nth: 3, act: (world, role) => world.freeze(role) }],
  },
  {
    ...base,
    name: 'told to wait a little',
    vendor: after(
      1,
      fails('rate_limited', { outcome: { class: 'rate_limited', detail: '', retryAfter: 400 } }),
    ),
  },
  {
    ...base,
    name: 'told to wait longer',
    vendor: after(
      1,
      fails('rate_limited', { outcome: { class: 'rate_limited', detail: '', retryAfter: 2_500 } }),
    ),
  },
  {
    // Longer than all attempts would last. A worker that starts anew knows nothing of the circuit before and finds out again, which costs attempts.
    ...base,
    channel: channelOf({ delivery: { maxAttempts: 8 } }),
    name: 'the provider is out for a while',
    requests: Array.from({ length: 6 }, (_, index) => ({ at: index * 500, to: index % 2 ? ada : bob })),
    vendor: ({ elapsed }) => (elapsed < 20_000 ? fails('not_sent') : takes),
  },
  {
    ...base,
    name: 'refused credentials, then mended',
    vendor: ({ elapsed }) => (elapsed < 20_000 ? fails('auth') : takes),
  },
  {
    ...base,
    name: 'cancelled while it waits for a retry',
    requests: few.slice(1),
    vendor: after(1, fails('not_sent')),
    events: [{ at: 700, act: (world) => world.cancel(0) }],
    ends: { [ada]: 'cancelled', [bob]: 'sent' },
    // A crash may leave it unclaimed, in the call or through by then; of one in the call nobody knows what became.
    orElse: ['sent', 'cancelled', 'unknown'],
  },
  {
    ...base,
    name: 'store away',
    requests: [...few, { at: 3_000, to: ada }],
    vendor: () => ({ ...takes, milliseconds: 100 }),
    events: [{ at: 60, act: (world) => away(world, 'store', 4_000) }],
  },
  {
    ...base,
    name: 'answers of the store lost',
    vendor: () => ({ ...takes, milliseconds: 100 }),
    events: [
      { at: 40, act: (world) => world.set('store', 'answers lost') },
      { at: 2_500, act: (world) => world.set('store', 'up') },
    ],
  },
  {
    // They go just when the first retry record is to be written.
    ...base,
    name: 'brokers away',
    vendor: after(1, fails('not_sent')),
    events: [{ call: 'produce p.shop.sms.retry.1s', nth: 1, act: (world) => away(world, 'broker', 3_000) }],
  },
  {
    ...base,
    name: 'answers of the brokers lost',
    vendor: after(1, fails('not_sent', { milliseconds: 100 })),
    events: [
      { at: 20, act: (world) => world.set('broker', 'answers lost') },
      { at: 2_500, act: (world) => world.set('broker', 'up') },
    ],
  },
  {
    ...base,
    name: 'expired',
    requests: [
      { at: 0, to: ada, expiresAfter: 1 },
      { at: 5, to: bob },
    ],
    ends: { [ada]: 'expired', [bob]: 'sent' },
  },
  {
    ...base,
    name: 'the topic is missing for a while',
    // The third is taken to be for a topic that refuses, the fourth finds the third waiting.
    requests: [{ at: 0, to: bob }, ...[1_000, 10_500, 11_500].map((at) => ({ at, to: ada }))],
    late: { after: 3_000, topics: ['main'] },
  },
  {
    ...base,
    name: 'the retry topics are missing for a while',
    vendor: after(1, fails('not_sent')),
    late: { after: 3_000, topics: ['retries'] },
  },
  {
    ...base,
    name: 'the dead letters have no topic for a while',
    vendor: () => fails('poison'),
    poison: true,
    late: { after: 3_000, topics: ['deadLetters', 'requestsDeadLetters'] },
    ends: { '*': 'dead_lettered' },
  },
  {
    ...base,
    name: 'too large for its retry topic',
    vendor: () => fails('not_sent'),
    events: [{ at: 0, act: (world) => world.topics.retries.forEach(({ topic }) => limit(world, topic)) }],
    ends: { '*': 'dead_lettered' },
  },
  {
    ...base,
    name: 'too large for the dead letters too',
    requests: few.slice(0, 1),
    vendor: () => fails('poison'),
    events: [{ at: 0, act: (world) => limit(world, world.topics.deadLetters) }],
    ends: { '*': 'dead_lettered' },
  },
  { ...base, name: 'poison', poison: true },
  { ...ahead, name: 'claimed ahead' },
  { ...ahead, name: 'claimed ahead of calls that hang', vendor: hanging },
  {
    ...ahead,
    name: 'claimed ahead when the provider goes',
    vendor: ({ elapsed }) =>
      elapsed > 60 && elapsed < 3_000 ? fails('not_sent', { milliseconds: 3 }) : ahead.vendor(),
  },
  {
    ...ahead,
    name: 'claimed ahead when a second worker joins',
    vendor: hanging,
    events: [{ at: 100, act: (world) => world.add('worker 2') }],
  },
  {
    // Its neighbours are in their calls then: they lose two claims to it, and no more.
    ...base,
    name: 'claimed beside one that kills its worker',
    vendor: () => ({ ...takes, milliseconds: 500 }),
    requests: [mallory, ada, bob, ada, bob].map((to) => ({ at: 0, to })),
    deadly: mallory,
    ends: { [mallory]: 'dead_lettered', '*': 'sent' },
    // One that a crash meets while it is alone has lost its last claim by itself.
    orElse: ['dead_lettered'],
  },
  {
    ...base,
    name: 'in-app',
    channel: channelOf({ type: 'inapp' }),
    idempotency: 'transaction',
    requests: [
      { at: 0, to: 'u1' },
      { at: 5, to: 'u1' },
      { at: 10, to: 'u2' },
    ],
  },
]
