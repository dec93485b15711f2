import { init } from "./redoc.js";

const place = document.getElementById("redoc");
const address = new URL(place.dataset.document, location);
const description = await (await fetch(address)).json();

// Redoc takes a relative server as relative to this page; OpenAPI 3.1 means the document (section 4.8.5).
for (const server of description.servers) {
  server.url = new URL(server.url, address).href;
}
init(
  description,
  { disableTelemetry: true, downloadUrls: [{ title: "openapi.json", url: address.href }] },
  place,
);
