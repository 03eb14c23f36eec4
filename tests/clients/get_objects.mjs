// Get objects of S3 with the AWS SDK for JavaScript and its default credentials:
// `node get_objects.mjs ENDPOINT BUCKET/KEY...`.
//
// Prints the access key id and the HTTP status of each object as one line of JSON.
// NODE_HOME says where the packages are.

import { createRequire } from "node:module";

const require = createRequire(`${process.env.NODE_HOME}/`);
const { GetObjectCommand, S3Client } = require("@aws-sdk/client-s3");

const [endpoint, ...paths] = process.argv.slice(2);
const client = new S3Client({ endpoint, forcePathStyle: true, maxAttempts: 1 });

async function getStatus(path) {
  const [Bucket, ...rest] = path.split("/");
  try {
    const found = await client.send(new GetObjectCommand({ Bucket, Key: rest.join("/") }));
    return found.$metadata.httpStatusCode;
  } catch (error) {
    if (error.$metadata?.httpStatusCode === undefined) throw error;
    return error.$metadata.httpStatusCode;
  }
}

const statuses = [];
for (const path of paths) statuses.push(await getStatus(path));
const { accessKeyId } = await client.config.credentials();
console.log(JSON.stringify({ key: accessKeyId, statuses }));
