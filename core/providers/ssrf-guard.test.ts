import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import ipaddr from 'ipaddr.js'
import { Agent, request } from 'undici'
import { describe, expect, onTestFinished, test } from 'vitest'
import { BlockedTarget, type GuardOptions, guardedConnector, isPublic, parseTarget } from './ssrf-guard.ts'

describe('isPublic', () => {
  test.each(['8.8.8.8', '93.184.216.34', '2606:4700:4700::1111', '2a00:1450:4001::200e'])(
    '%s is public',
    (address) => expect(isPublic(ipaddr.process(address))).toBe(true),
  )

  test.each([
    ['this host', '0.0.0.0'],
    ['private', '10.0.0.1'],
    ['private', '172.31.255.255'],
    ['private', '192.168.1.1'],
    ['carrier-grade NAT', '100.64.0.1'],
    ['Alibaba metadata', '100.100.100.200'],
    ['loopback', '127.0.0.1'],
    ['link-local metadata', '169.254.169.254'],
    ['Azure platform', '168.63.129.16'],
    ['protocol assignments', '192.0.0.192'],
    ['documentation', '192.0.2.1'],
    ['documentation', '198.51.100.1'],
    ['documentation', '203.0.113.1'],
    ['6to4 relay', '192.88.99.1'],
    ['benchmarking', '198.18.0.1'],
    ['multicast', '224.0.0.1'],
    ['class E', '240.0.0.1'],
    ['broadcast', '255.255.255.255'],
    ['unspecified', '::'],
    ['loopback', '::1'],
    ['IPv4-compatible loopback', '::127.0.0.1'],
    ['IPv4-mapped loopback', '::ffff:127.0.0.1'],
    ['IPv4-mapped metadata', '::ffff:a9fe:a9fe'],
    ['IPv4-translated', '::ffff:0:127.0.0.1'],
    ['NAT64', '64:ff9b::10.0.0.1'],
    ['local NAT64', '64:ff9b:1::1'],
    ['discard', '100::1'],
    ['Teredo', '2001::1'],
    ['benchmarking', '2001:2::1'],
    ['ORCHIDv2', '2001:20::1'],
    ['documentation', '2001:db8::1'],
    ['6to4', '2002:7f00:1::1'],
    ['documentation', '3fff::1'],
    ['segment routing', '5f00::1'],
    ['unassigned', '4000::1'],
    ['unique local', 'fd00:ec2::254'],
    ['link-local', 'fe80::1'],
    ['site-local', 'fec0::1'],
    ['multicast', 'ff02::1'],
  ])('%s %s is not', (_name, address) => expect(isPublic(ipaddr.process(address))).toBe(false))
})

test.each([
  'ftp://example.com/',
  'file:///etc/passwd',
  'gopher://127.0.0.1/',
  'https://user:pass@example.com/',
  'https://user@example.com/',
  'http://[fe80::1%25eth0]/',
  'http://',
  'example.com',
  '',
])('parseTarget refuses %j', (text) => expect(parseTarget(text)).toBeUndefined())

describe('guardedConnector', () => {
  test.each([
    'http://127.0.0.1/',
    'http://127.1/',
    'http://0x7f.1/',
    'http://0177.0.0.1/',
    'http://2130706433/',
    'http://127.0.0.1./',
    'http://[::1]/',
    'http://[::ffff:127.0.0.1]/',
    'http://[::ffff:7f00:1]/',
    'http://①②⑦.0.0.1/',
    'https://169.254.169.254/',
    'https://100.64.0.1/',
    'https://0/',
    'https://[::]/',
    'https://[64:ff9b::7f00:1]/',
    'https://[2002:7f00:1::]/',
    'http://8.8.8.8/',
  ])('blocks %s and looks nothing up', async (url) => {
    let lookups = 0
    const resolve = async () => {
      lookups += 1
      return []
    }
    await expect(call(url, { allowedNetworks: [], resolve })).rejects.toMatchObject({ code: 'ssrf_blocked' })
    expect(lookups).toBe(0)
  })

  test.each([22, 25, 53, 81, 111, 389, 445, 1023])(
    'blocks port %i, even of an allowed network',
    async (port) => {
      const blocked = call(`http://127.0.0.1:${port}/`, { allowedNetworks: ['127.0.0.0/8'] })
      await expect(blocked).rejects.toMatchObject({ code: 'ssrf_blocked' })
    },
  )

  test('blocks a name if any of its answers is not public', async () => {
    const resolve = async () => [v4('93.184.216.34'), v4('127.0.0.1')]
    for (const url of ['https://mixed.test/', 'http://mixed.test/']) {
      await expect(call(url, { allowedNetworks: [], resolve })).rejects.toMatchObject({
        code: 'ssrf_blocked',
      })
    }
  })

  test('blocks a public answer over plain http', async () => {
    const resolve = async () => [v4('93.184.216.34')]
    const blocked = call('http://public.test/', { allowedNetworks: ['127.0.0.0/8'], resolve })
    await expect(blocked).rejects.toMatchObject({ code: 'ssrf_blocked' })
  })

  test('says nothing of the address', async () => {
    const resolve = async () => [v4('10.1.2.3')]
    const error: unknown = await call('https://inside.test/', { allowedNetworks: [], resolve }).catch(
      (reason: unknown) => reason,
    )
    expect(error).toBeInstanceOf(BlockedTarget)
    expect(String(error)).not.toMatch(/10\.1\.2\.3|inside/)
  })

  test('passes on that a name does not exist', async () => {
    const resolve = async () =>
      Promise.reject(Object.assign(new Error('no such name'), { code: 'ENOTFOUND' }))
    await expect(call('https://nowhere.test/', { allowedNetworks: [], resolve })).rejects.toMatchObject({
      code: 'ENOTFOUND',
    })
  })

  test('calls an allowed network, by address and by name', async () => {
    const { port } = await startServer()
    const resolve = async () => [v4('127.0.0.1')]
    for (const host of ['127.0.0.1', '127.1', 'inside.test']) {
      const answer = await call(`http://${host}:${port}/`, { allowedNetworks: ['127.0.0.0/8'], resolve })
      expect(answer).toBe(200)
    }
  })

  test('does not take an IPv4 network for an IPv6 one', async () => {
    const blocked = call('http://[::1]/', { allowedNetworks: ['0.0.0.0/0'] })
    await expect(blocked).rejects.toMatchObject({ code: 'ssrf_blocked' })
  })

  test('connects to the very answer it checked: a second answer is never asked for', async () => {
    const { port } = await startServer()
    const answers = ['127.0.0.1', '169.254.169.254']
    const asked: string[] = []
    const resolve = async () => {
      const address = answers[asked.length] ?? 'exhausted'
      asked.push(address)
      return [v4(address)]
    }
    expect(await call(`http://rebind.test:${port}/`, { allowedNetworks: ['127.0.0.0/8'], resolve })).toBe(200)
    expect(asked).toEqual(['127.0.0.1'])
    const second = call(`http://rebind.test:${port}/`, { allowedNetworks: ['127.0.0.0/8'], resolve })
    await expect(second).rejects.toMatchObject({ code: 'ssrf_blocked' })
  })
})

function v4(address: string) {
  return { address, family: 4 }
}

async function call(url: string, options: GuardOptions): Promise<number> {
  const guard = guardedConnector(options)
  const dispatcher = new Agent({ connect: guard.connect, allowH2: false })
  onTestFinished(() => dispatcher.destroy())
  const { statusCode, body } = await request(url, { dispatcher })
  await body.dump()
  return statusCode
}

async function startServer(): Promise<{ port: number }> {
  const server = createServer((_request, response) => response.end())
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return { port: (server.address() as AddressInfo).port }
}
