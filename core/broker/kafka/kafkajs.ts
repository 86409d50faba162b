import { createRequire } from 'node:module'
import type { Socket } from 'node:net'
import type { ConnectionOptions } from 'node:tls'
import { AssignerProtocol, type SASLOptions } from 'kafkajs'

// The only file that knows kafkajs. The parts of kafkajs that this project builds on are below its public interface, so the version is pinned exactly: connections, TLS,
// SASL and the encoding of requests. Its producer, consumer and admin are not used; docs/decisions/0004
// says why.

export interface Protocol {
  request: object
  response: { decode: (raw: Buffer) => Promise<unknown>; parse: (decoded: unknown) => Promise<unknown> }
}

interface RequestDefinition {
  versions: readonly (number | string)[]
  protocol(version: { version: number | string }): (args: object) => Protocol
}

export interface Connection {
  connect(): Promise<unknown>
  send: (protocol: Protocol) => Promise<unknown>
  disconnect: () => Promise<unknown>
  socket: Socket | null
}

export interface BrokerConnection {
  connectionPool: { getConnection(index: number): Promise<Connection> }
  lookupRequest(apiKey: number, definition: RequestDefinition): (args: object) => Protocol
  metadata(topics: readonly string[]): Promise<ClusterMetadata>
}

export interface ClusterMetadata {
  brokers: { nodeId: number }[]
  topicMetadata: {
    topicErrorCode: number
    topic: string
    partitionMetadata: {
      partitionErrorCode: number
      partitionId: number
      leader: number
      replicas: number[]
    }[]
  }[]
}

export interface BrokerPool {
  createBroker: (options: object) => BrokerConnection
  findBroker(node: { nodeId: number }): Promise<BrokerConnection>
  findConnectedBroker(): Promise<BrokerConnection>
  refreshMetadata(topics: readonly string[]): Promise<void>
  removeBroker(address: { host: string; port: number }): void
  metadata: ClusterMetadata | null
}

export interface Cluster {
  brokerPool: BrokerPool
  connect(): Promise<void>
  disconnect(): Promise<void>
}

export interface ClusterOptions {
  logger: unknown
  socketFactory: unknown
  brokers: readonly string[]
  clientId: string
  ssl: ConnectionOptions | undefined
  sasl: SASLOptions | undefined
  connectionTimeout: number
  authenticationTimeout: number
  reauthenticationThreshold: number
  requestTimeout: number
  enforceRequestTimeout: boolean
  metadataMaxAge: number
  allowAutoTopicCreation: boolean
  retry: { retries: number; initialRetryTime: number; maxRetryTime: number }
}

/** What came in one fetch of one partition: `rawMessages` is everything, `messages` what a reader may see. */
export interface Batch {
  messages: readonly RawMessage[]
  rawMessages: readonly RawMessage[]
}

export interface RawMessage {
  offset: string
  timestamp: string
  key: Buffer | null
  value: Buffer | null
  headers: Readonly<Record<string, Buffer | Buffer[] | null>>
}

export interface Encoder {
  readonly buffer: Buffer
  writeInt8(value: number): Encoder
  writeInt16(value: number): Encoder
  writeInt32(value: number): Encoder
  writeBuffer(value: Buffer): Encoder
  writeString(value: string | null): Encoder
  writeBoolean(value: boolean): Encoder
  writeArray(values: readonly Encoder[]): Encoder
}

interface Decoder {
  readInt8(): number
  readInt16(): number
  readInt32(): number
  readString(): string | null
  readArray<T>(read: (decoder: Decoder) => T): T[]
}

export interface ErrorCode {
  type: string
  code: number
  retriable: boolean
}

export interface RequestQueue {
  readonly pending: readonly unknown[]
  scheduleCheckPendingRequests: () => void
}

export const { MemberMetadata, MemberAssignment } = AssignerProtocol
export type { SASLOptions }

const require = createRequire(import.meta.url)

export const { errorCodes } = require('kafkajs/src/protocol/error.js') as { errorCodes: ErrorCode[] }
/** Corrected by `timer-loop.ts`; a test holds the file against the source that the correction was written for. */
export const requestQueueFile = require.resolve('kafkajs/src/network/requestQueue/index.js')
export const RequestQueue = require(requestQueueFile) as { prototype: RequestQueue }

/** Corrected by `silent-connections.ts` and `ended-sockets.ts`; held against its source likewise. */
export const connectionFile = require.resolve('kafkajs/src/network/connection.js')
export const Connection = require(connectionFile) as {
  new (options: object): Connection
  prototype: Connection
}

export const Cluster = require('kafkajs/src/cluster/index.js') as new (options: ClusterOptions) => Cluster
export const Batch = require('kafkajs/src/consumer/batch.js') as new (
  topic: string,
  fetchedOffset: string,
  partition: object,
) => Batch
export const Encoder = require('kafkajs/src/protocol/encoder.js') as new (initialSize?: number) => Encoder
export const crc32C = require('kafkajs/src/protocol/recordBatch/crc32C/index.js') as (bytes: Buffer) => number
export const Decoder = require('kafkajs/src/protocol/decoder.js') as new (raw: Buffer) => Decoder
export const apiKeys = require('kafkajs/src/protocol/requests/apiKeys.js') as Readonly<Record<string, number>>
export const { requests } = require('kafkajs/src/protocol/requests/index.js') as {
  requests: Readonly<Record<string, RequestDefinition>>
}
export const { createLogger, LEVELS } = require('kafkajs/src/loggers/index.js') as {
  createLogger: (options: { level: number; logCreator: () => () => void }) => unknown
  LEVELS: { NOTHING: number }
}
export const createSocketFactory = require('kafkajs/src/network/socketFactory.js') as () => (
  options: object,
) => Socket
