import { createServer } from 'node:net'
import { expect, it } from 'vitest'
import { freePorts } from './free-ports.ts'

it('finds ports that differ, that no outgoing connection is given, and that nothing listens on', async () => {
  const [taken] = (await freePorts(1)) as [number]
  const server = createServer().listen(taken + 1, '127.0.0.1')
  // Somebody else may have taken it already, which is as good.
  await new Promise((resolve) => server.once('listening', resolve).once('error', resolve))
  const found = await freePorts(20)
  await new Promise((resolve) => server.close(resolve))

  expect(new Set([...found, taken]).size).toBe(21)
  expect(found).not.toContain(taken + 1)
  expect(Math.max(...found)).toBeLessThan(32_768)
})
