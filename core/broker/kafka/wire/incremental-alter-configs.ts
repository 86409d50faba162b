import { apiKeys, Decoder, Encoder, type Protocol } from '../kafkajs.ts'

const TOPIC = 2
const SET = 0

export interface IncrementalAlterConfigs {
  topic: string
  config: Readonly<Record<string, string>>
}

export interface IncrementalAlterConfigsAnswer {
  errorCode: number
}

/**
 * Kafka's IncrementalAlterConfigs, version 0 (KIP-339), for one topic. kafkajs has only the older AlterConfigs, which resets every key
 * that it is not told; reading and writing back would race with others that do the same.
 */
export function incrementalAlterConfigs({ topic, config }: IncrementalAlterConfigs): Protocol {
  const request = {
    apiKey: apiKeys['IncrementalAlterConfigs'],
    apiVersion: 0,
    apiName: 'IncrementalAlterConfigs',
    encode: () => {
      const changes = Object.entries(config).map(([name, value]) =>
        new Encoder().writeString(name).writeInt8(SET).writeString(value),
      )
      const resource = new Encoder().writeInt8(TOPIC).writeString(topic).writeArray(changes)
      return Promise.resolve(new Encoder().writeArray([resource]).writeBoolean(false))
    },
  }
  const decode = (raw: Buffer): Promise<IncrementalAlterConfigsAnswer> => {
    const decoder = new Decoder(raw)
    // Milliseconds of throttling, which the next request would be held up for anyway.
    decoder.readInt32()
    const [answer] = decoder.readArray((item) => {
      const errorCode = item.readInt16()
      item.readString()
      item.readInt8()
      item.readString()
      return { errorCode }
    })
    return Promise.resolve(answer ?? { errorCode: 0 })
  }
  return { request, response: { decode, parse: (decoded) => Promise.resolve(decoded) } }
}
