import { expect, it } from 'vitest'
import { describePart } from './parts/describe-part.ts'
import { answers, startRedis } from './redis.ts'

describePart('redis', (program) => {
  it('starts, dies when it is killed, comes back on the same port, and leaves nothing', async () => {
    const redis = await startRedis(program)
    const port = Number(new URL(redis.url).port)
    expect(await answers(port)).toBe(true)
    await redis.kill()
    expect(await answers(port)).toBe(false)
    await redis.restart()
    expect(await answers(port)).toBe(true)
    await redis.stop()
    expect(await answers(port)).toBe(false)
  }, 60_000)
})
