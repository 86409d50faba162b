import { apiKeys, type BrokerConnection, type Protocol, requests } from '../kafkajs.ts'
import { incrementalAlterConfigs } from './incremental-alter-configs.ts'
import { encodeProduce, type ProduceRequest } from './produce-request.ts'

/** What a broker can be asked, as kafkajs names it. */
export type Api =
  | 'Produce'
  | 'Fetch'
  | 'ListOffsets'
  | 'OffsetCommit'
  | 'OffsetFetch'
  | 'GroupCoordinator'
  | 'JoinGroup'
  | 'Heartbeat'
  | 'LeaveGroup'
  | 'SyncGroup'
  | 'CreateTopics'
  | 'DeleteTopics'
  | 'DescribeConfigs'
  | 'IncrementalAlterConfigs'
  | 'CreatePartitions'

/**
 * Two connections go to each broker. A broker answers the requests of one connection in turn, so what waits by design (`reading`: a
 * fetch) must not hold up the rest (`asking`).
 */
export type Channel = 'asking' | 'reading'

/** Sends one request to one broker and answers what it says, error codes and all. */
export async function send(
  broker: BrokerConnection,
  api: Api | 'Metadata',
  args: object,
  channel: Channel = 'asking',
): Promise<unknown> {
  const protocol = protocolOf(broker, api, args)
  const connection = await broker.connectionPool.getConnection(channel === 'reading' ? 1 : 0)
  return await connection.send({
    ...protocol,
    response: { decode: protocol.response.decode, parse: (decoded) => Promise.resolve(decoded) },
  })
}

function protocolOf(broker: BrokerConnection, api: Api | 'Metadata', args: object): Protocol {
  if (api === 'IncrementalAlterConfigs') {
    return incrementalAlterConfigs(args as Parameters<typeof incrementalAlterConfigs>[0])
  }
  const protocol = broker.lookupRequest(apiKeys[api]!, requests[api]!)(args)
  if (api !== 'Produce') return protocol
  const encode = () => Promise.resolve(encodeProduce(args as ProduceRequest, Date.now()))
  return { ...protocol, request: { ...protocol.request, encode } }
}
