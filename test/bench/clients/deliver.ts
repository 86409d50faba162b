/**
 * What deliveries cost at the least: undici posting to the sink with so many requests in flight at all times, in a process of its own:
 * `deliver.ts URL CONCURRENCY COUNT`. Posts half as many to `URL-warm` first. Prints the microseconds of CPU for each.
 */
import { randomUUID } from 'node:crypto'
import { Agent } from 'undici'

const [url = '', concurrency, count] = process.argv.slice(2)
if (count === undefined) throw new Error('usage: deliver.ts URL CONCURRENCY COUNT')
const { origin, pathname } = new URL(url)
const [, run, ...rest] = pathname.split('/')
const agent = new Agent({ connections: Number(concurrency) })

await post(`/${run}-warm/${rest.join('/')}`, Number(count) / 2)
const before = process.cpuUsage()
await post(pathname, Number(count))
const { user, system } = process.cpuUsage(before)
await agent.close()
process.stdout.write(String((user + system) / Number(count)))

/** Of the form and the length of what Carillon posts. */
async function post(path: string, posts: number): Promise<void> {
  let sent = 0
  const postAll = async () => {
    while (sent < posts) {
      const { body, statusCode } = await agent.request({
        origin,
        path: `${path}/${sent++}`,
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          'webhook-id': randomUUID(),
          'webhook-timestamp': String(Date.now()),
          'webhook-signature': 'v1,0123456789abcdef0123456789abcdef0123456789ab',
        },
        body: JSON.stringify({ text: 'Your order is on its way.' }),
      })
      await body.dump()
      if (statusCode !== 204) throw new Error(`a request was answered with ${statusCode}`)
    }
  }
  await Promise.all(Array.from({ length: Number(concurrency) }, postAll))
}
