-- Send every CT series that is complete to be enhanced. What comes back enhanced is not sent again; the service
-- would leave it alone anyway. A job that fails is kept by Orthanc and can be sent again from its jobs page.
function OnStableSeries(series, tags, metadata)
   local description = tags['SeriesDescription'] or ''
   if tags['Modality'] == 'CT' and not string.find(description, 'enhanced', 1, true) then
      RestApiPost('/modalities/ctsgan/store', DumpJson({Resources = {series}, Asynchronous = true}))
   end
end
