import { describe, expect, it } from 'vitest'
import { getUsers } from '../../core/store/users.ts'
import { useTestApi } from '../../test/harness/api.ts'

const api = useTestApi()

const put = (id: string, payload: object) =>
  api.app.inject({ method: 'PUT', url: `/v1/users/${id}`, payload })

describe('a user', () => {
  it('is created, replaced as a whole, and read', async () => {
    const created = await put('ada', {
      name: 'Ada',
      email: 'ada@example.com',
      attributes: { plan: ['gold'] },
    })
    expect(created.statusCode).toBe(201)
    expect(created.json()).toMatchObject({ id: 'ada', name: 'Ada', attributes: { plan: ['gold'] } })
    const replaced = await put('ada', { phone: '+15550100' })
    expect(replaced.statusCode).toBe(200)
    const { created_at, updated_at, ...rest } = replaced.json<Record<string, string>>()
    expect(rest).toEqual({ id: 'ada', phone: '+15550100' })
    expect(created_at).toBe(created.json<{ created_at: string }>().created_at)
    expect(updated_at! >= created_at!).toBe(true)
    expect((await api.app.inject('/v1/users/ada')).json()).toEqual(replaced.json())
  })

  it('may have any id that a path can carry', async () => {
    const id = 'tenant/ü 1?#%'
    expect((await put(encodeURIComponent(id), {})).json()).toMatchObject({ id })
    expect((await api.app.inject(`/v1/users/${encodeURIComponent(id)}`)).json()).toMatchObject({ id })
  })

  it('is not there', async () => {
    expect((await api.app.inject('/v1/users/nobody')).statusCode).toBe(404)
  })

  it.each([
    [{ mail: 'ada@example.com' }, '/mail'],
    [{ email: 'ada' }, '/email'],
    [{ device_tokens: 'x' }, '/device_tokens'],
    [{ device_tokens: [''] }, '/device_tokens/0'],
    [{ locale: 'english' }, '/locale'],
    [{ name: 'a\0' }, '/name'],
    [{ attributes: { '': 1 } }, '/attributes/'],
  ])('is refused: %j', async (profile, pointer) => {
    const response = await put('ada', profile)
    expect(response.statusCode).toBe(422)
    expect(response.json<{ errors: { pointer: string }[] }>().errors.map((error) => error.pointer)).toContain(
      pointer,
    )
  })

  it.each(['%00', 'x'.repeat(129)])('has no id such as %s', async (id) => {
    const response = await put(id, {})
    expect(response.statusCode).toBe(422)
    expect(response.json()).toMatchObject({ errors: [{ parameter: 'id' }] })
  })

  it('is bounded', async () => {
    const response = await put('ada', { attributes: { text: 'x'.repeat(64 * 1024) } })
    expect(response.statusCode).toBe(413)
  })

  it('is read with others, by the planner', async () => {
    await put('eve', { name: 'Eve' })
    const found = await getUsers(api.db, 'default', ['eve', 'nobody'])
    expect([...found]).toEqual([['eve', { name: 'Eve' }]])
    expect(await getUsers(api.db, 'other', ['eve'])).toEqual(new Map())
    expect(await getUsers(api.db, 'default', [])).toEqual(new Map())
  })
})

describe('an inbox', () => {
  const inbox = async (query = '') => {
    const response = await api.app.inject(`/v1/users/reader/inbox${query}`)
    return response.json<{ data: { title: string }[]; next_cursor?: string }>()
  }

  it('is empty at first', async () => {
    expect(await inbox()).toEqual({ data: [] })
  })

  it('is read newest first, in pages that a new message does not shift', async () => {
    for (let n = 1; n <= 5; n++) await insert(`m${n}`)
    const titles = ({ data }: Awaited<ReturnType<typeof inbox>>) => data.map(({ title }) => title)
    const first = await inbox('?limit=2')
    expect(titles(first)).toEqual(['m5', 'm4'])
    await insert('m6')
    const second = await inbox(`?limit=2&cursor=${first.next_cursor}`)
    expect(titles(second)).toEqual(['m3', 'm2'])
    const last = await inbox(`?limit=2&cursor=${second.next_cursor}`)
    expect(titles(last)).toEqual(['m1'])
    expect(last).not.toHaveProperty('next_cursor')
    expect(titles(await inbox())).toEqual(['m6', 'm5', 'm4', 'm3', 'm2', 'm1'])
  })

  it('is read with the older route too: oldest first, with whole numbers as ids', async () => {
    const response = await api.app.inject('/notifications/reader')
    const { user_id, messages } = response.json<{
      user_id: string
      messages: { id: number; message: string }[]
    }>()
    expect(user_id).toBe('reader')
    expect(messages.map(({ message }) => message)).toEqual([1, 2, 3, 4, 5, 6].map((n) => `body of m${n}`))
    expect(messages.every(({ id }) => Number.isSafeInteger(id))).toBe(true)
    expect(new Set(messages.map(({ id }) => id)).size).toBe(6)
  })

  it.each(['limit=0', 'limit=201', 'limit=x', 'limit=1.5', 'cursor=x', 'cursor=', 'page=2'])(
    'has no page %s',
    async (query) => {
      const response = await api.app.inject(`/v1/users/reader/inbox?${query}`)
      expect(response.statusCode).toBe(422)
      expect(response.json()).toMatchObject({ errors: [{ parameter: query.split('=')[0] }] })
    },
  )

  async function insert(title: string) {
    await api.db
      .insertInto('inbox')
      .values({
        tenant: 'default',
        user_id: 'reader',
        delivery_id: crypto.randomUUID(),
        title,
        body: `body of ${title}`,
        action_url: null,
        created_at: new Date(),
      })
      .execute()
  }
})
