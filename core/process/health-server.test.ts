import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Counter, Registry } from 'prom-client'
import { expect, test } from 'vitest'
import { StartRefused } from '../settings/start-refused.ts'
import { startHealthServer } from './health-server.ts'

test('says whether it runs, whether it does its work, and what it measured', async () => {
  let ready = false
  const registry = new Registry()
  new Counter({ name: 'carillon_things_total', help: 'Things.', registers: [registry] }).inc(3)
  const server = await startHealthServer({
    listen: { host: '127.0.0.1', port: 0 },
    isReady: () => ready,
    registry,
  })
  const get = async (path: string, method = 'GET') => {
    const response = await fetch(`${server.url}${path}`, { method })
    return [response.status, await response.text()] as const
  }
  expect(await get('/livez')).toEqual([200, '{"status":"ok"}'])
  expect(await get('/readyz')).toEqual([503, '{"status":"not_ready"}'])
  ready = true
  expect(await get('/readyz?verbose')).toEqual([200, '{"status":"ready"}'])
  expect((await get('/metrics'))[1]).toContain('carillon_things_total 3')
  expect((await get('/elsewhere'))[0]).toBe(404)
  expect((await get('/livez', 'POST'))[0]).toBe(405)
  await server.close()
  await expect(fetch(`${server.url}/livez`)).rejects.toThrow()
})

test('an address in use is said in one line that names the setting', async () => {
  const other = createServer()
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
  const { port } = other.address() as AddressInfo
  const listen = { host: '127.0.0.1', port }
  await expect(startHealthServer({ listen, isReady: () => true, registry: new Registry() })).rejects.toEqual(
    new StartRefused(
      `CARILLON_HEALTH_LISTEN: 127.0.0.1:${port} is in use by another program; port 0 takes a free one`,
    ),
  )
  other.close()
})
