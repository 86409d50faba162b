import { setTimeout as sleep } from 'node:timers/promises'

/** Milliseconds that what was begun last may take. */
const patience = 10_000

/** Begins `run` at an even pace, whatever becomes of those before, and answers what each came to. Throws when one does not end in time. */
export async function pace<T>(
  { perSecond, seconds }: { perSecond: number; seconds: number },
  run: (index: number) => Promise<T>,
): Promise<T[]> {
  const startedAt = performance.now()
  const results = Array.from({ length: seconds * perSecond }, async (_, index) => {
    await sleep(Math.max(0, startedAt + (index * 1000) / perSecond - performance.now()))
    return run(index)
  })
  return Promise.race([Promise.all(results), late(seconds * 1000 + patience)])
}

async function late(milliseconds: number): Promise<never> {
  await sleep(milliseconds, undefined, { ref: false })
  throw new Error('not everything has arrived in time')
}
