import { describe, expect, it } from 'vitest'
import { createBatcher } from './batcher.ts'

describe('createBatcher', () => {
  it('joins what arrives during a flush into the next batch, and answers each call with its own result', async () => {
    const batches: number[][] = []
    const releases: (() => void)[] = []
    const double = createBatcher<number, number>({
      maxItems: 3,
      flush: async (items) => {
        batches.push(items)
        await new Promise<void>((resolve) => releases.push(resolve))
        return items.map((item) => item * 2)
      },
    })
    const first = [double(1), double(2)]
    await expect.poll(() => releases.length).toBe(1)
    const later = [3, 4, 5, 6].map(double)
    for (let at = 0; at < 3; at++) {
      await expect.poll(() => releases.length).toBe(at + 1)
      releases[at]!()
    }
    expect(await Promise.all([...first, ...later])).toEqual([2, 4, 6, 8, 10, 12])
    expect(batches).toEqual([[1, 2], [3, 4, 5], [6]])
  })

  it('fails only the batch whose flush failed', async () => {
    const send = createBatcher<string, string>({
      maxItems: 1,
      flush: async ([item]) => {
        if (item === 'bad') throw new Error('refused')
        return [item!]
      },
    })
    const results = await Promise.allSettled([send('bad'), send('good')])
    expect(results.map(({ status }) => status)).toEqual(['rejected', 'fulfilled'])
  })
})
