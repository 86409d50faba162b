import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type KafkaSettings, kafkaConnection } from './kafka.ts'
import { StartRefused } from './start-refused.ts'

let folder: string
let passwordFile: string
let caFile: string

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'carillon-kafka-settings-'))
  passwordFile = join(folder, 'password')
  caFile = join(folder, 'ca.pem')
  writeFileSync(passwordFile, 'hunter2\n')
  writeFileSync(caFile, 'the authority')
})

afterAll(() => rmSync(folder, { recursive: true }))

const settings = (change: Partial<KafkaSettings> = {}): KafkaSettings => ({
  kafkaBootstrapServers: ['kafka:9092'],
  kafkaSecurityProtocol: 'PLAINTEXT',
  kafkaSaslMechanism: undefined,
  kafkaSaslUsername: undefined,
  kafkaSaslPasswordFile: undefined,
  kafkaSslCaFile: undefined,
  ...change,
})
const login = () => ({
  kafkaSaslMechanism: 'SCRAM-SHA-512' as const,
  kafkaSaslUsername: 'carillon',
  kafkaSaslPasswordFile: passwordFile,
})

test('each protocol asks for what it uses, and the password loses its line break', () => {
  const bootstrapServers = ['kafka:9092']
  const sasl = { mechanism: 'scram-sha-512', username: 'carillon', password: 'hunter2' }
  expect(kafkaConnection(settings())).toEqual({ bootstrapServers })
  expect(kafkaConnection(settings({ kafkaSecurityProtocol: 'SSL' }))).toEqual({ bootstrapServers, tls: {} })
  expect(kafkaConnection(settings({ kafkaSecurityProtocol: 'SASL_PLAINTEXT', ...login() }))).toEqual({
    bootstrapServers,
    sasl,
  })
  expect(
    kafkaConnection(settings({ kafkaSecurityProtocol: 'SASL_SSL', ...login(), kafkaSslCaFile: caFile })),
  ).toEqual({ bootstrapServers, tls: { ca: 'the authority' }, sasl })
})

test('what is missing, unused or unreadable stops the start with its name, and never with the password', () => {
  const refused = (change: Partial<KafkaSettings>) => {
    try {
      return kafkaConnection(settings(change))
    } catch (error) {
      expect(error).toBeInstanceOf(StartRefused)
      return (error as Error).message
    }
  }
  expect(refused({ kafkaSecurityProtocol: 'SASL_SSL' })).toBe(
    'KAFKA_SASL_MECHANISM: must be set when KAFKA_SECURITY_PROTOCOL is SASL_SSL',
  )
  expect(refused({ kafkaSecurityProtocol: 'SASL_SSL', ...login(), kafkaSaslUsername: undefined })).toBe(
    'KAFKA_SASL_USERNAME: must be set when KAFKA_SECURITY_PROTOCOL is SASL_SSL',
  )
  expect(refused({ kafkaSaslUsername: 'carillon' })).toBe(
    'KAFKA_SASL_USERNAME: is not used when KAFKA_SECURITY_PROTOCOL is PLAINTEXT',
  )
  expect(refused({ kafkaSecurityProtocol: 'SASL_PLAINTEXT', ...login(), kafkaSslCaFile: caFile })).toBe(
    'KAFKA_SSL_CA_FILE: is not used when KAFKA_SECURITY_PROTOCOL is SASL_PLAINTEXT',
  )
  const gone = join(folder, 'gone')
  expect(refused({ kafkaSecurityProtocol: 'SSL', kafkaSslCaFile: gone })).toBe(
    `KAFKA_SSL_CA_FILE: ${gone} cannot be read: ENOENT`,
  )
})
