import { expect, test } from 'vitest'
import { failureClasses } from '../../../core/notification/failure.ts'
import { sandbox } from '../../../core/providers/sandbox.ts'
import { type Arrival, type Counterpart, nextContext, open, type ProviderFixture, send } from '../provider.ts'

const to = '+15550001'
const sms = (address: string, text: string) => ({ type: 'sms', to: address, text }) as const

async function start(): Promise<Counterpart> {
  const arrivals: Arrival[] = []
  return {
    settings: {},
    secrets: {},
    to,
    arrivals,
    options: {
      capture: (message, { deliveryId }) => {
        arrivals.push({ deliveryId, texts: { text: message.type === 'sms' ? message.text : '' } })
      },
    },
    connections: () => ({ total: 0, open: 0 }),
    async close() {},
  }
}

const close = async () => {}

export const fixture: ProviderFixture = {
  example: {
    latency: '20ms',
    failures: [
      { match: to, class: 'rejected', code: '21211' },
      { match: '*@example.com', class: 'rate_limited', retryAfter: '2s', times: 2, rate: 0.5 },
    ],
  },
  slots: { text: sms },
  start,
  faults: [
    ...failureClasses.map((failureClass) => ({
      name: failureClass,
      arrange: async () => ({
        to,
        settings: { failures: [{ match: to, class: failureClass, code: '7' }] },
        close,
      }),
      expected: { class: failureClass, code: '7' },
    })),
    {
      name: 'stopped while it waits',
      arrange: async () => ({ to, settings: { latency: '1h' }, stalled: Promise.resolve(), close }),
      expected: { class: 'not_sent' },
    },
  ],
  specifics() {
    const opened = (...failures: object[]) => open(sandbox, { settings: { failures }, secrets: {} })

    test('ends as simulated', async () => {
      expect(await send(opened(), sms(to, 'x'))).toMatchObject({ class: 'sent', simulated: true })
    })

    test('the first entry that fits decides: the whole address, its end, or all', async () => {
      const provider = opened(
        { match: to, class: 'rejected' },
        { match: '*0002', class: 'auth' },
        { match: '*', class: 'not_sent' },
      )
      const addresses = [to, '+15550002', '+155500012', '']
      const outcomes = await Promise.all(addresses.map((address) => send(provider, sms(address, 'x'))))
      expect(outcomes.map((outcome) => outcome.class)).toEqual(['rejected', 'auth', 'not_sent', 'not_sent'])
    })

    test('`times` holds per delivery, whether or not the attempts are counted', async () => {
      const provider = opened({ match: '*', class: 'rate_limited', retryAfter: '2s', times: 2 })
      const uncounted = nextContext()
      const counted = nextContext()
      const seen: string[] = []
      for (const attempt of [1, 2, 3]) {
        seen.push((await send(provider, sms(to, 'x'), uncounted)).class)
        seen.push((await send(provider, sms(to, 'x'), { ...counted, attempt })).class)
      }
      expect(seen).toEqual(['rate_limited', 'rate_limited', 'rate_limited', 'rate_limited', 'sent', 'sent'])
      const afterRestart = opened({ match: '*', class: 'rate_limited', times: 2 })
      expect(await send(afterRestart, sms(to, 'x'), { ...counted, attempt: 3 })).toMatchObject({
        class: 'sent',
      })
    })

    test('`retryAfter` is in milliseconds', async () => {
      const provider = opened({ match: '*', class: 'rate_limited', retryAfter: '2s' })
      expect(await send(provider, sms(to, 'x'))).toMatchObject({ retryAfter: 2000 })
    })

    test('`rate` fails its share, and the same ones again', async () => {
      const contexts = Array.from({ length: 1000 }, nextContext)
      const run = async () => {
        const provider = opened({ match: '*', class: 'not_sent', rate: 0.2 })
        return Promise.all(
          contexts.map(async (context) => (await send(provider, sms(to, 'x'), context)).class),
        )
      }
      const first = await run()
      expect(await run()).toEqual(first)
      const share = first.filter((outcome) => outcome === 'not_sent').length / first.length
      expect(share).toBeGreaterThan(0.15)
      expect(share).toBeLessThan(0.25)
    })

    test('shows what it took, and `maybe_sent` is taken', async () => {
      const shown: string[] = []
      const provider = open(sandbox, {
        settings: {
          failures: [
            { match: 'a', class: 'maybe_sent' },
            { match: 'b', class: 'rejected' },
          ],
        },
        secrets: {},
        options: { capture: (message) => shown.push(message.to) },
      })
      for (const address of ['a', 'b', 'c']) await send(provider, sms(address, 'x'))
      expect(shown).toEqual(['a', 'c'])
    })
  },
}
