/** Stands in for curl, which a machine with Node need not have: the options that the commands of `make run` use. */
import { parseArgs } from 'node:util'

const { values, positionals } = parseArgs({
  options: {
    header: { type: 'string', short: 'H', multiple: true, default: [] },
    data: { type: 'string', short: 'd' },
    silent: { type: 'boolean', short: 's' },
    'show-error': { type: 'boolean', short: 'S' },
  },
  allowPositionals: true,
})
const [url] = positionals
if (url === undefined || positionals.length > 1)
  throw new Error(`one URL, not ${JSON.stringify(positionals)}`)
const headers = new Headers(values.header.map((line) => line.split(/: */, 2) as [string, string]))
const request = values.data === undefined ? { headers } : { method: 'POST', headers, body: values.data }
process.stdout.write(`${await (await fetch(url, request)).text()}\n`)
