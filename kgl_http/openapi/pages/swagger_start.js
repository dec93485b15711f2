"use strict";

const place = document.getElementById("swagger");

SwaggerUIBundle({
  domNode: place,
  url: place.dataset.document,
  validatorUrl: null, // nobody else is asked whether the document is valid
  deepLinking: true,
});
