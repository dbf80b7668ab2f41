// The validator of swagger.io would be told where this page is, and would not answer offline.
SwaggerUIBundle({
    deepLinking: true,
    displayRequestDuration: true,
    dom_id: "#swagger-ui",
    persistAuthorization: false,
    tryItOutEnabled: true,
    url: "/api/schema/",
    validatorUrl: null,
});
