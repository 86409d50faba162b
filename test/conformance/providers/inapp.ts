import { expect, test } from 'vitest'
import type { InAppMessage } from '../../../core/notification/message.ts'
import { inapp } from '../../../core/providers/inapp.ts'
import { testDatabase } from '../../harness/postgres/postgres.ts'
import { type Arrival, type Counterpart, nextContext, open, type ProviderFixture, send } from '../provider.ts'

const to = 'u_42'
const target = { settings: {}, secrets: {} }
const close = async () => {}

function message(address: string, body: string): InAppMessage {
  return { type: 'inapp', to: address, title: 'Hello', body }
}

/** The inbox of a real database. Arrivals are its rows. */
async function start(): Promise<Counterpart> {
  const { db, close } = await testDatabase()
  const arrivals: Arrival[] = []
  return {
    ...target,
    to,
    arrivals,
    async commit(write) {
      await db.transaction().execute(write)
      const rows = await db.selectFrom('inbox').selectAll().orderBy('id').execute()
      const read = rows.map(({ delivery_id, title, body, action_url }) => ({
        deliveryId: `dlv_${delivery_id.slice(-12).padStart(26, '0')}`,
        texts: { title, body, actionUrl: action_url ?? '' },
      }))
      arrivals.splice(0, arrivals.length, ...read)
    },
    connections: () => ({ total: 0, open: 0 }),
    close,
  }
}

export const fixture: ProviderFixture = {
  example: {},
  slots: {
    body: message,
    title: (address, title) => ({ ...message(address, 'x'), title }),
    actionUrl: (address, actionUrl) => ({ ...message(address, 'x'), actionUrl }),
  },
  start,
  faults: [
    {
      name: 'a NUL character in the user id',
      arrange: async () => ({ ...target, to: 'u\0', close }),
      expected: { class: 'poison', code: 'nul_character' },
    },
  ],
  specifics() {
    test.each([
      'javascript:alert(1)',
      ' JavaScript:alert(1)',
      'java\nscript:alert(1)',
      'data:text/html,x',
      'vbscript:x',
    ])('refuses the link %j', async (actionUrl) => {
      const outcome = await send(open(inapp, target), { ...message(to, 'x'), actionUrl })
      expect(outcome).toMatchObject({ class: 'rejected', code: 'unsafe_action_url' })
    })

    test('nothing is there before the outcome is committed, nor if the transaction fails', async () => {
      const { db, close } = await testDatabase()
      try {
        const provider = inapp.open({
          settings: {},
          secret: () => undefined,
          maxConcurrent: 1,
          clock: { now: () => 1000 },
        })
        const context = nextContext()
        const actionUrl = 'https://shop.example/orders/1'
        const outcome = await send(provider, { ...message(to, 'x'), actionUrl }, context)
        if (outcome.class !== 'sent') return expect.fail(outcome.detail)
        const rows = () => db.selectFrom('inbox').selectAll().execute()
        expect(await rows()).toEqual([])
        const failing = db.transaction().execute(async (transaction) => {
          await outcome.commitWith!(transaction)
          throw new Error('the lease was lost')
        })
        await expect(failing).rejects.toThrow('the lease was lost')
        expect(await rows()).toEqual([])
        await db.transaction().execute(outcome.commitWith!)
        expect(await rows()).toMatchObject([
          {
            tenant: 'shop',
            user_id: to,
            delivery_id: context.deliveryUuid,
            title: 'Hello',
            body: 'x',
            action_url: actionUrl,
            created_at: new Date(1000),
            read_at: null,
          },
        ])
      } finally {
        await close()
      }
    })
  },
}
